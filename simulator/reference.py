"""Code tables and word lists of the made-up company: public codes are real, names are invented."""

from datetime import date

# Public holidays and the local-election day of 2026 that fall on or after June; a year that isn't
# listed keeps only the weekly rhythm.
HOLIDAYS = {
    date(2026, 6, 3): "전국동시지방선거",
    date(2026, 6, 6): "현충일",
    date(2026, 8, 15): "광복절",
    date(2026, 8, 17): "광복절 대체공휴일",
    date(2026, 9, 24): "추석 연휴",
    date(2026, 9, 25): "추석",
    date(2026, 9, 26): "추석 연휴",
    date(2026, 10, 3): "개천절",
    date(2026, 10, 5): "개천절 대체공휴일",
    date(2026, 10, 9): "한글날",
    date(2026, 12, 25): "기독탄신일",
}

# Monday to Sunday; clinics are nearly closed on Sundays, the app is only quieter.
CLINIC_WEEK = (1.47, 1.2, 1.09, 1.09, 1.25, 0.82, 0.08)
APP_WEEK = (1.16, 1.07, 1.02, 1.02, 1.02, 0.96, 0.75)
CLINIC_HOLIDAY, APP_HOLIDAY = 0.08, 0.7

# HIRA region codes: sido, sido name, sggu, sggu name, longitude, latitude.
REGIONS = [
    ("110000", "서울", "110001", "강남구", 127.0473, 37.5172),
    ("110000", "서울", "110002", "강동구", 127.1238, 37.5301),
    ("110000", "서울", "110003", "강서구", 126.8495, 37.5509),
    ("110000", "서울", "110004", "관악구", 126.9516, 37.4784),
    ("110000", "서울", "110006", "도봉구", 127.0471, 37.6688),
    ("110000", "서울", "110012", "성북구", 127.0175, 37.5894),
    ("110000", "서울", "110016", "종로구", 126.9790, 37.5730),
    ("110000", "서울", "110019", "중랑구", 127.0927, 37.6063),
    ("110000", "서울", "110023", "광진구", 127.0823, 37.5385),
    ("110000", "서울", "110024", "강북구", 127.0255, 37.6397),
    ("210000", "부산", "210011", "부산금정구", 129.0921, 35.2428),
    ("220000", "인천", "220003", "인천부평구", 126.7219, 37.5070),
    ("220000", "인천", "220007", "인천연수구", 126.6782, 37.4101),
    ("230000", "대구", "230006", "대구중구", 128.6062, 35.8694),
    ("260000", "울산", "260002", "울산동구", 129.4166, 35.5049),
    ("310000", "경기", "310401", "성남수정구", 127.1455, 37.4503),
    ("310000", "경기", "311101", "안산단원구", 126.8124, 37.3195),
    ("310000", "경기", "312001", "용인기흥구", 127.1150, 37.2804),
    ("310000", "경기", "312700", "양주시", 127.0456, 37.7853),
    ("320000", "강원", "320100", "강릉시", 128.8761, 37.7519),
    ("340000", "충남", "340700", "논산시", 127.0987, 36.1871),
    ("350000", "전북", "350200", "남원시", 127.3903, 35.4164),
    ("360000", "전남", "360300", "목포시", 126.3922, 34.8118),
    ("370000", "경북", "370800", "문경시", 128.1866, 36.5866),
    ("380000", "경남", "380100", "김해시", 128.8894, 35.2285),
    ("390000", "제주", "390100", "서귀포시", 126.5600, 33.2541),
]

# Specialty, word in a clinic's name, weight, and the KCD codes its doctors write most.
DEPARTMENTS = [
    ("01", "내과", 22, ["J060", "J00", "J209", "K297", "I109", "E119", "K219", "E785"]),
    ("11", "소아청소년과", 16, ["J00", "J060", "J050", "J209", "A099", "J219", "H669"]),
    ("13", "이비인후과", 15, ["J00", "J0190", "J0390", "J040", "J304", "J069", "H669"]),
    ("14", "피부과", 14, ["L209", "L700", "L239", "B351", "L500", "L309"]),
    ("05", "정형외과", 10, ["M545", "M170", "M7510", "S934", "M4802"]),
    ("23", "가정의학과", 8, ["J060", "J00", "I109", "E119", "K297", "J22"]),
    ("12", "안과", 5, ["H102", "H041", "H101", "H521"]),
    ("10", "산부인과", 4, ["N760", "N926", "N946"]),
    ("15", "비뇨의학과", 3, ["N300", "N40", "N411"]),
    ("03", "정신건강의학과", 3, ["F329", "F419", "F510"]),
]

# Institution type, its name, how the registry's releases write it, the word in a name, share.
INSTITUTION_TYPES = [
    ("31", "의원", "의원", "의원", 0.80),
    ("51", "치과의원", "치과의원", "치과의원", 0.07),
    ("93", "한의원", "한의원", "한의원", 0.06),
    ("21", "병원", "병원", "병원", 0.04),
    ("11", "종합병원", "종합병원", "종합병원", 0.02),
    ("01", "상급종합병원", "상급종합", "대학교병원", 0.01),
]

CLINIC_WORDS = [
    "바른",
    "새봄",
    "미소",
    "튼튼",
    "하늘",
    "푸른",
    "온누리",
    "늘편한",
    "가온",
    "다정한",
    "참좋은",
    "한마음",
    "우리들",
    "밝은",
    "맑은샘",
    "두손",
    "라온",
    "해오름",
    "늘봄",
    "아침햇살",
]
FAMILY_NAMES = ["김", "이", "박", "최", "정", "강", "조", "윤", "장", "임", "한", "오", "서", "신"]
GIVEN_NAMES = [
    "가람",
    "나래",
    "다온",
    "도담",
    "라희",
    "마루",
    "미르",
    "바다",
    "별하",
    "보람",
    "새롬",
    "소담",
    "슬아",
    "아라",
    "여울",
    "온유",
    "우솔",
    "은새",
    "이든",
    "지율",
    "찬솔",
    "초롱",
    "하람",
    "해솔",
]

EMR_SPELLINGS = {
    "ubcare": ["의사랑", "UBcare", "ubcare", "유비케어", "의사랑2.0"],
    "bit": ["비트컴퓨터", "BIT", "bit"],
    "eghis": ["이지스", "Eghis"],
}

BOOKING_SPELLINGS = {
    "requested": ["예약신청", "REQUESTED"],
    "confirmed": ["예약완료", "CONFIRMED", " confirmed "],
    "completed": ["완료", "COMPLETED", "completed "],
    "no_show": ["노쇼", "NO_SHOW"],
    "cancelled_patient": ["취소", " cancelled_patient"],
    "cancelled_hospital": ["병원취소", "CANCELLED_HOSPITAL"],
    "rejected": ["REJECTED", " rejected"],
    "expired": ["EXPIRED"],
    "arrived": ["ARRIVED"],
}
RECEPTION_SPELLINGS = {
    "accepted": ["접수", "ACCEPTED"],
    "waiting": ["대기", "WAITING"],
    "completed": ["완료", "COMPLETED"],
    "cancelled_patient": ["취소", "CANCELLED_PATIENT"],
    "auto_cancelled_absent": ["AUTO_CANCELLED_ABSENT"],
}

REVIEW_TEXTS = [
    "친절하게 설명해 주셔서 좋았어요.",
    "대기가 길었지만 진료는 꼼꼼했습니다.",
    "예약하고 가니 바로 진료받았어요.",
    "주차가 불편해요.",
    "태블릿 접수가 편했습니다.",
    "아이가 무서워하지 않았어요. 다음에도 올게요.",
    "설명이 조금 부족했어요.",
    "깨끗하고 시설이 좋아요 👍",
]
BOOKING_MEMOS = [
    "기침이 심해요",
    "처음 방문합니다",
    "주차 가능한가요?",
    "아이와 함께 갑니다",
    "약 처방만 원합니다",
    "목이 아파요, 열도 있어요",
]
SEARCH_WORDS = ["감기", "피부과", "소아과", "도수치료", "여드름", "건강검진", "야간진료", "보톡스"]

PRODUCT_CATEGORIES = [
    ("피부", ["여드름 케어", "보습 관리", "레이저 토닝"]),
    ("검진", ["기본 건강검진", "혈액 검사 패키지", "수면 내시경"]),
    ("치과", ["스케일링", "치아 미백"]),
    ("주사", ["비타민 수액", "대상포진 예방접종", "독감 예방접종"]),
    ("탈모", ["탈모 약 상담", "두피 케어"]),
    ("비만", ["체중 관리 상담", "식욕 억제 처방 상담"]),
    ("비뇨기과", ["남성 건강 검사"]),
    ("정신건강", ["우울 선별 검사", "불면 상담"]),
    ("여성의원", ["갱년기 상담"]),
]
# Whoever applied for one of these told something about their health.
SENSITIVE_CATEGORIES = ("탈모", "비만", "비뇨기과", "정신건강", "여성의원")

# Medium, stem of the campaign's name, channel, number of campaigns. Performance max (pmax)
# reports only campaign totals, no ads.
CAMPAIGNS = [
    ("naver_sa", "naver_brand", "search", 3),
    ("naver_sa", "naver_clinic", "search", 5),
    ("kakao_moment", "kakao_display", "display", 4),
    ("kakao_moment", "kakao_message", "message", 2),
    ("google_ads", "google_search", "search", 3),
    ("google_ads", "google_video", "video", 2),
    ("google_ads", "google_pmax", "pmax", 1),
    ("google_ads", "google_app", "app", 1),
    ("meta", "meta_lead", "display", 3),
    ("meta", "meta_reels", "video", 1),
    ("tiktok", "tiktok_video", "video", 3),
    ("naver_gfa", "gfa_feed", "display", 2),
    ("kakao_keyword", "kakao_keyword", "search", 2),
    ("apple", "apple_search", "search", 2),
    ("criteo", "criteo_retargeting", "display", 2),
    ("x", "x_promoted", "display", 2),
    ("line", "line_feed", "display", 2),
    ("microsoft", "microsoft_search", "search", 2),
    ("linkedin", "linkedin_sponsored", "display", 2),
    ("taboola", "taboola_native", "display", 2),
    ("outbrain", "outbrain_native", "display", 2),
    ("rtb_house", "rtb_house_retargeting", "display", 2),
    ("moloco", "moloco_app", "app", 2),
    ("unity", "unity_app", "app", 2),
    ("applovin", "applovin_app", "app", 2),
    ("snapchat", "snapchat_story", "video", 2),
    ("pinterest", "pinterest_pin", "display", 2),
    ("reddit", "reddit_promoted", "display", 2),
    ("mintegral", "mintegral_app", "app", 2),
    ("liftoff", "liftoff_app", "app", 2),
    ("dv360", "dv360_display", "display", 2),
    ("braze", "braze_push", "message", 2),
    ("dable", "dable_native", "display", 2),
    ("mobon", "mobon_retargeting", "display", 2),
    ("buzzvil", "buzzvil_reward", "app", 2),
    ("tnk", "tnk_reward", "app", 2),
    ("cauly", "cauly_app", "app", 2),
    ("nhn_ace", "nhn_ace_display", "display", 2),
    ("karrot", "karrot_local", "display", 2),
    ("toss", "toss_display", "display", 2),
    ("organic", "organic_blog", "referral", 2),
    ("organic", "organic_referral", "referral", 1),
]

# The parameter in which a medium's landing address carries its click id, and the host of the page
# that led there; media that aren't listed have no click id. Apps mostly tell no page before.
LANDINGS = [
    ("naver_sa", "n_ad", "search.naver.com"),
    ("naver_gfa", "n_ad", "m.naver.com"),
    ("kakao_moment", "kclid", "talk.kakao.com"),
    ("kakao_keyword", "kclid", "search.daum.net"),
    ("google_ads", "gclid", "google.com"),
    ("dv360", "gclid", "news.example.com"),
    ("meta", "fbclid", "l.instagram.com"),
    ("tiktok", "ttclid", "www.tiktok.com"),
    ("x", "twclid", "t.co"),
    ("microsoft", "msclkid", "www.bing.com"),
    ("linkedin", "li_fat_id", "www.linkedin.com"),
    ("snapchat", "sccid", None),
    ("pinterest", "epik", "www.pinterest.com"),
    ("reddit", "rdt_cid", "www.reddit.com"),
    ("taboola", "tblci", "news.example.com"),
    ("outbrain", "dicbo", "news.example.com"),
    ("organic", None, "blog.naver.com"),
]

# Kind of session, position, event name, screen, chance, seconds since the session began.
EVENT_TEMPLATES = [
    ("browse", 1, "app_open", "home", 1.0, 0),
    ("browse", 2, "search", "search", 0.75, 12),
    ("browse", 3, "view_search_results", "search_results", 0.72, 14),
    ("browse", 4, "view_hospital", "hospital_detail", 0.85, 30),
    ("browse", 5, "scroll", "hospital_detail", 0.6, 45),
    ("browse", 6, "view_review", "hospital_reviews", 0.5, 60),
    ("browse", 7, "view_hospital", "hospital_detail", 0.55, 100),
    ("browse", 8, "view_event_product", "event_detail", 0.6, 140),
    ("browse", 9, "click_call", "hospital_detail", 0.08, 170),
    ("browse", 10, "view_event_list", "event_list", 0.5, 190),
    ("booking", 1, "app_open", "home", 1.0, 0),
    ("booking", 2, "search", "search", 0.8, 15),
    ("booking", 3, "view_hospital", "hospital_detail", 1.0, 40),
    ("booking", 4, "view_review", "hospital_reviews", 0.6, 80),
    ("booking", 5, "booking_start", "booking_form", 1.0, 120),
    ("booking", 6, "select_slot", "booking_form", 1.0, 160),
    ("booking", 7, "booking_complete", "booking_done", 1.0, 240),
    ("lead", 1, "app_open", "home", 1.0, 0),
    ("lead", 2, "view_event_list", "event_list", 0.7, 20),
    ("lead", 3, "view_event_product", "event_detail", 1.0, 60),
    ("lead", 4, "apply_start", "apply_form", 1.0, 120),
    ("lead", 5, "apply_complete", "apply_done", 1.0, 240),
    ("reception", 1, "app_open", "home", 1.0, 0),
    ("reception", 2, "view_hospital", "hospital_detail", 0.9, 40),
    ("reception", 3, "reception_start", "reception_form", 1.0, 120),
    ("reception", 4, "reception_complete", "reception_done", 1.0, 240),
    ("review", 1, "app_open", "home", 1.0, 0),
    ("review", 2, "review_start", "review_form", 1.0, 90),
    ("review", 3, "review_complete", "review_done", 1.0, 240),
    ("signup", 1, "app_open", "home", 1.0, 0),
    ("signup", 2, "signup_start", "signup", 1.0, 60),
    ("signup", 3, "signup_complete", "signup_done", 1.0, 240),
]
