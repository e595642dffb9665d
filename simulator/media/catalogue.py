"""Who exists in the media: their accounts, campaigns, ad groups, ads and keywords.

Nothing here depends on a company's seed or size, so an id or a name is the same in all of them.
"""

from dataclasses import dataclass
from functools import cache

from simulator import reference


@dataclass(frozen=True)
class Medium:
    """What is true of a medium as a whole; `refetch` is the age in days at which a day is final."""

    number: int
    key: str
    name: str
    role: str  # ad | measurement | crm
    lane: str  # rest | file
    currency: str
    vat: str  # incl | excl
    day_basis: str  # kst | account_tz | utc_shifted | utc_unshifted
    refetch: int
    finest: str  # ad | ad_group | campaign
    parts: frozenset[str]  # totals, account_totals, keywords, search_terms
    primary: str  # the conversions its delivery report shows
    daily_spend: int  # won a campaign and day of a company of scale one
    utm_source: str
    utm_medium: str

    @property
    def has_totals(self) -> bool:
        """Whether campaigns report more than their ads do."""
        return "totals" in self.parts

    @property
    def variables(self) -> str:
        """What the names of its environment variables begin with."""
        return f"ADS_{self.key.upper()}"


@dataclass(frozen=True)
class Account:
    """An account of a medium; its money is in `currency`, its day that of `time_zone`."""

    medium: str
    account_id: str
    name: str
    currency: str
    time_zone: str


# key | name | role | lane | currency | VAT | day basis | refetch | finest | parts | primary
# | won a campaign and day | utm_source utm_medium
_MEDIA = """
naver_sa | Naver Search Ad | ad | rest | KRW | incl | kst | 14 | ad | totals keywords | lead_click_7d | 180000 | naver cpc
naver_gfa | Naver GFA | ad | rest | KRW | incl | kst | 30 | ad | | lead_click_7d | 90000 | naver display
kakao_moment | Kakao Moment | ad | rest | KRW | excl | kst | 8 | ad | totals account_totals | lead_click_7d | 120000 | kakao display
kakao_keyword | Kakao Keyword Ad | ad | rest | KRW | excl | kst | 8 | ad | keywords | lead_click_7d | 60000 | daum cpc
google_ads | Google Ads | ad | rest | KRW | excl | account_tz | 30 | ad | totals keywords search_terms | lead_click_28d | 150000 | google cpc
meta | Meta | ad | rest | KRW | excl | account_tz | 28 | ad | totals | lead_click_7d | 140000 | facebook paid_social
tiktok | TikTok for Business | ad | rest | KRW | excl | account_tz | 28 | ad | totals | lead_click_7d | 80000 | tiktok paid_social
apple | Apple Ads | ad | rest | KRW | excl | account_tz | 30 | ad | totals keywords search_terms | install_click | 70000 | apple cpc
criteo | Criteo | ad | rest | KRW | excl | kst | 30 | ad_group | | purchase_click_28d | 60000 | criteo retargeting
x | X Ads | ad | rest | USD | excl | account_tz | 14 | ad | | lead_click_28d | 40000 | x paid_social
line | LINE Ads | ad | rest | JPY | excl | account_tz | 30 | ad | | lead_click_28d | 40000 | line paid_social
microsoft | Microsoft Advertising | ad | rest | USD | excl | kst | 30 | ad | keywords | lead_click_28d | 30000 | bing cpc
linkedin | LinkedIn Ads | ad | rest | USD | excl | utc_unshifted | 30 | ad | | lead_click_28d | 30000 | linkedin paid_social
taboola | Taboola | ad | rest | USD | excl | account_tz | 30 | campaign | | lead_click_28d | 40000 | taboola native
outbrain | Outbrain | ad | rest | USD | excl | account_tz | 30 | campaign | | lead_click_28d | 40000 | outbrain native
rtb_house | RTB House | ad | rest | KRW | excl | kst | 30 | campaign | | purchase_click_28d | 60000 | rtbhouse retargeting
moloco | Moloco Ads | ad | rest | USD | excl | utc_unshifted | 30 | campaign | | install_click | 60000 | moloco app
unity | Unity Ads | ad | rest | USD | excl | utc_shifted | 7 | campaign | | install_click | 50000 | unityads app
applovin | AppLovin | ad | rest | USD | excl | utc_shifted | 7 | campaign | | install_click | 50000 | applovin app
snapchat | Snapchat Ads | ad | rest | USD | excl | account_tz | 28 | ad | | purchase_click_28d | 30000 | snapchat paid_social
pinterest | Pinterest Ads | ad | rest | USD | excl | utc_unshifted | 30 | ad | | lead_click_28d | 30000 | pinterest paid_social
reddit | Reddit Ads | ad | rest | USD | excl | utc_unshifted | 30 | ad | | lead_click_28d | 30000 | reddit paid_social
mintegral | Mintegral | ad | rest | USD | excl | kst | 7 | campaign | | install_click | 40000 | mintegral app
liftoff | Liftoff | ad | rest | USD | excl | utc_unshifted | 30 | campaign | | install_click | 40000 | liftoff app
dv360 | Display & Video 360 | ad | rest | KRW | excl | account_tz | 30 | ad | | lead_click_28d | 80000 | dv360 display
cm360 | Campaign Manager 360 | measurement | rest | KRW | excl | account_tz | 30 | ad | | lead_click_28d | 80000 |
ga4 | Google Analytics 4 | measurement | rest | KRW | excl | account_tz | 4 | campaign | | installs | 0 |
appsflyer | AppsFlyer | measurement | rest | KRW | excl | account_tz | 30 | campaign | | installs | 0 |
adjust | Adjust | measurement | rest | KRW | excl | kst | 30 | campaign | | installs | 0 |
airbridge | Airbridge | measurement | rest | KRW | excl | kst | 30 | campaign | | installs | 0 |
branch | Branch | measurement | rest | KRW | excl | account_tz | 30 | campaign | | installs | 0 |
braze | Braze | crm | rest | KRW | excl | account_tz | 14 | campaign | | lead_click_7d | 60000 | braze push
dable | Dable | ad | file | KRW | excl | kst | 7 | ad | | lead_click_7d | 50000 | dable native
mobon | Mobon | ad | file | KRW | excl | kst | 7 | ad | | lead_click_7d | 50000 | mobon retargeting
buzzvil | Buzzvil | ad | file | KRW | excl | kst | 7 | ad | | install_click | 50000 | buzzvil reward
tnk | TNK Factory | ad | file | KRW | excl | kst | 7 | ad | | install_click | 40000 | tnk reward
cauly | Cauly | ad | file | KRW | excl | kst | 7 | ad | | install_click | 40000 | cauly app
nhn_ace | NHN ACE | ad | file | KRW | excl | kst | 7 | ad | | lead_click_7d | 40000 | nhnace display
karrot | Karrot Ads | ad | file | KRW | incl | kst | 7 | ad | | lead_click_7d | 60000 | karrot display
toss | Toss Ads | ad | file | KRW | incl | kst | 7 | ad | | lead_click_7d | 70000 | toss display
"""  # noqa: E501


def _media() -> dict[str, Medium]:
    media = {}
    for number, line in enumerate(_MEDIA.strip().splitlines(), 1):
        key, name, role, lane, currency, vat, basis, refetch, finest, parts, primary, spend, utm = (
            part.strip() for part in line.split("|")
        )
        source, _, kind = utm.partition(" ")
        media[key] = Medium(
            number, key, name, role, lane, currency, vat, basis, int(refetch), finest,
            frozenset(parts.split()), primary, int(spend), source, kind,
        )  # fmt: skip
    return media


MEDIA = _media()

# Account ids and names that look as the medium's own do; the others are made from its number.
_ACCOUNTS = {
    "naver_sa": [("2041177", "KRW", "Asia/Seoul")],
    "kakao_moment": [("88123", "KRW", "Asia/Seoul")],
    "google_ads": [("4125550199", "KRW", "Asia/Seoul")],
    "meta": [
        ("120330044556677", "KRW", "Asia/Seoul"),
        ("120330099887766", "USD", "America/Los_Angeles"),
    ],
    "x": [("18ce54k4x5t", "USD", "Asia/Seoul")],
    "appsflyer": [("kr.example.clinicapp", "KRW", "Asia/Seoul")],
    "airbridge": [("clinicapp", "KRW", "Asia/Seoul")],
    "adjust": [("cl1n1capp7xk", "KRW", "Asia/Seoul")],
}

# What measurement media call the medium that they say an install came from.
PARTNERS = {
    "google_ads": ("googleadwords_int", "Google Ads", "google.adwords", "Google AdWords", "google"),
    "meta": ("Facebook Ads", "Facebook", "facebook.business", "Facebook", "facebook"),
    "tiktok": ("bytedanceglobal_int", "TikTok", "tiktok", "TikTok", "tiktok"),
    "apple": ("Apple Search Ads", "Apple Search Ads", "apple.searchads", "Apple Search Ads",
              "apple"),
    "naver_sa": ("naver_search", "Naver Search", "naver.searchad", "Naver", "naver"),
    "kakao_moment": ("kakao_int", "Kakao", "kakao", "Kakao", "kakao"),
    "moloco": ("moloco_int", "Moloco", "moloco", "Moloco", "moloco"),
    "unity": ("unityads_int", "Unity Ads", "unityads", "Unity Ads", "unityads"),
    "applovin": ("applovin_int", "AppLovin", "applovin", "AppLovin", "applovin"),
    "mintegral": ("mintegral_int", "Mintegral", "mintegral", "Mintegral", "mintegral"),
    "liftoff": ("liftoff_int", "Liftoff", "liftoff", "Liftoff", "liftoff"),
}  # fmt: skip
_MEASURING = ("appsflyer", "adjust", "airbridge", "branch", "ga4")

RENAMED_AFTER = 10  # days; a renamed campaign keeps its id, and its ads their old utm_campaign
_SITE = "https://www.clinic.example/event"
# One ad in so many points to a page without utm parameters, or with those of no campaign.
_UTM_MISSING, _UTM_WRONG = 9, 13


def partner(measuring: str, medium: str) -> str:
    """What the measurement medium `measuring` calls `medium`."""
    return PARTNERS[medium][_MEASURING.index(measuring)]


@cache
def accounts(medium: str) -> tuple[Account, ...]:
    """The accounts of a medium."""
    row = MEDIA[medium]
    given = _ACCOUNTS.get(medium) or [
        (str(4_100_000 + row.number * 7_717), row.currency, "Asia/Seoul")
    ]
    return tuple(
        Account(medium, account_id, f"Clinic {n} {row.name}", currency, time_zone)
        for n, (account_id, currency, time_zone) in enumerate(given, 1)
    )


def campaign_id(medium: str, number: int) -> str:
    """The medium's id of its campaign `number`, counted from 1."""
    plain = (21_000 + MEDIA[medium].number * 100) * 1000 + number * 137
    return _named(medium, "cmp", str(plain))


def _named(medium: str, kind: str, plain: str) -> str:
    return f"{kind}-a001-01-{plain.rjust(15, '0')}" if medium == "naver_sa" else plain


@cache
def campaigns(medium: str) -> tuple[dict, ...]:
    """The campaigns of a medium as they were named at first."""
    # Campaign Manager counts what Display & Video 360 buys, under ids of its own.
    bought = "dv360" if medium == "cm360" else medium
    rows = []
    for owner, stem, channel, number in reference.CAMPAIGNS:
        for n in range(1, number + 1) if owner == bought else ():
            no = len(rows) + 1
            held = accounts(medium)
            account = held[1] if len(held) > 1 and no % 4 == 0 else held[0]
            rows.append(
                {
                    "account_id": account.account_id,
                    "campaign_no": no,
                    "campaign_id": campaign_id(medium, no),
                    "campaign_name": f"{stem}_{n:02d}",
                    "channel": channel,
                    "status": "paused" if n > 1 and n == number else "active",
                    "is_renamed": (MEDIA[bought].number + no) % 5 == 0,
                }
            )
    return tuple(rows)


@cache
def ads(medium: str) -> tuple[dict, ...]:
    """The ads of a medium with all that stands above them; a performance max campaign has none."""
    row, searches = MEDIA[medium], "keywords" in MEDIA[medium].parts
    found = []
    for campaign in campaigns(medium):
        if campaign["channel"] == "pmax":
            continue
        plain = campaign["campaign_id"].rsplit("-", 1)[-1].lstrip("0")
        for group in (1, 2):
            for position in range(1, 4 if group == 1 else 3 + campaign["campaign_no"] % 3):
                group_id, number = f"{plain}{group:02d}", len(found) + 1
                ad = campaign | {
                    "ad_group_id": _named(medium, "grp", group_id),
                    "ad_group_name": f"{campaign['campaign_name']}_group_{group}",
                    "ad_id": _named(medium, "nad", f"{group_id}{position:02d}"),
                    "ad_name": f"{campaign['campaign_name']}_ad_{group}{position}",
                    "landing_url": landing_url(row, campaign["campaign_name"], number),
                    "ad_no": number,
                    "keyword_id": None,
                    "keyword": None,
                    "match_type": None,
                }
                if searches and campaign["channel"] == "search":
                    word = reference.SEARCH_WORDS[number % len(reference.SEARCH_WORDS)]
                    region = reference.REGIONS[number % len(reference.REGIONS)][3]
                    ad["keyword_id"] = _named(medium, "nkw", f"{group_id}{position:02d}77")
                    ad["keyword"] = f"{region} {word}"
                    ad["match_type"] = ("exact", "phrase", "broad")[number % 3]
                found.append(ad)
    return tuple(found)


def landing_url(medium: Medium, campaign: str, number: int) -> str:
    """Where ad `number` leads to: tagged with the campaign, but for the planted mistakes."""
    page = f"{_SITE}/{100 + number}"
    wrong = utm_dirt(number) == "utm_wrong"
    if utm_dirt(number) == "utm_missing":
        return page
    name = "spring_sale_old" if wrong else campaign
    return (
        f"{page}?utm_source={medium.utm_source}&utm_medium={medium.utm_medium}&utm_campaign={name}"
    )


def utm_dirt(number: int) -> str | None:
    """The planted mistake in the landing page of ad `number` of a medium, if there is one."""
    if number % _UTM_MISSING == 5:
        return "utm_missing"
    return "utm_wrong" if number % _UTM_WRONG == 7 else None


def search_terms(keyword: str) -> tuple[tuple[str, float], ...]:
    """What people typed to see a keyword's ad, and its share; the rest is not told."""
    return ((keyword, 0.5), (f"{keyword} 추천", 0.3))
