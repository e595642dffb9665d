"""How Google's APIs are signed in to: a refresh token buys tokens that run out."""

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOST = "oauth2.googleapis.com"


def variables(medium: str) -> dict[str, str]:
    """The invented secrets of a medium's client."""
    word = medium.replace("_", "-")
    return {
        "CLIENT_ID": f"sim-{word}.apps.googleusercontent.com",
        "CLIENT_SECRET": f"sim-{word}-client-secret",
        "REFRESH_TOKEN": f"1//sim-{word}-refresh-token",
    }


def token(medium: str, asked: Asked) -> Answer:
    """A new token, for the medium's own client."""
    form, own = asked.form, variables(medium)
    if asked.path != "/token" or asked.method != "POST":
        return Answer({"error": "not_found"}, 404)
    if any(form.get(name.lower()) != own[name] for name in ("CLIENT_ID", "CLIENT_SECRET")):
        return Answer({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
    granted = (form.get("grant_type"), form.get("refresh_token"))
    if granted != ("refresh_token", own["REFRESH_TOKEN"]):
        return Answer({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
    return Answer(
        {"access_token": f"ya29.sim-{medium}", "expires_in": 3599, "token_type": "Bearer"}
    )


def refused(medium: str, asked: Asked, books: Books) -> Answer | None:
    """Why a request to an API is refused; None where it is signed in."""
    bearer = asked.headers.get("authorization")
    if bearer != f"Bearer ya29.sim-{medium}" or books.expired(f"{medium} token"):
        return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    return None


def error(code: int, status: str, message: str) -> Answer:
    """An error as Google's APIs tell it."""
    return Answer({"error": {"code": code, "message": message, "status": status}}, code)
