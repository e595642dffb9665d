"""Signing in, where dlt's fixed keys don't suffice: signatures of requests, tokens that run out."""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from dlt.sources.helpers.rest_client.auth import APIKeyAuth, BearerTokenAuth, HttpBasicAuth
from requests.auth import AuthBase
from requests_oauthlib import OAuth1

from extract_load.readers import ReadError
from extract_load.readers.rest import grammar
from extract_load.readers.rest.guard import found, host

Sessions = Callable[[str], requests.Session]


def authenticator(auth: Any, sessions: Sessions, tokens: Path | None) -> AuthBase | None:
    """What signs the requests of a client. `sessions` makes a session for a token's address;
    `tokens` is the file for a refresh token that the API changes."""
    match auth:
        case None:
            return None
        case grammar.Bearer():
            return BearerTokenAuth(token=auth.token)
        case grammar.ApiKey():
            return APIKeyAuth(name=auth.name, api_key=auth.api_key, location=auth.location)
        case grammar.HttpBasic():
            return HttpBasicAuth(username=auth.username, password=auth.password)
        case grammar.Hmac():
            return _Hmac(auth)
        case grammar.Jws():
            return _Jws(auth)
        case grammar.OAuth1():
            return OAuth1(auth.consumer_key, auth.consumer_secret, auth.token, auth.token_secret)
        case grammar.Md5Token():
            return _Md5Token(auth)
        case grammar.Login():
            return _LoggedIn(auth, sessions)
        case grammar.RefreshToken():
            return _Refreshed(auth, sessions, tokens)
        case _:
            return _Token(auth, sessions)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signing_input(header: dict[str, str], payload: bytes) -> str:
    text = json.dumps(header, separators=(",", ":")).encode()
    return f"{_base64url(text)}.{_base64url(payload)}"


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else body


class _Hmac(AuthBase):
    """Signs what the template says."""

    def __init__(self, auth: grammar.Hmac):
        self.auth = auth

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        unit = 1000 if self.auth.timestamp == "milliseconds" else 1
        parts = urlsplit(request.url or "")
        values = {
            "timestamp": str(int(time.time() * unit)),
            "method": request.method or "",
            "path": parts.path,
            "query": parts.query,
            "body": _body(request).decode(),
        }
        text = _filled(self.auth.template, values).encode()
        signature = hmac.digest(self.auth.secret.encode(), text, self.auth.algorithm)
        encode = base64.b64encode(signature).decode if self.auth.encoding == "base64" else None
        values["signature"] = encode() if encode else signature.hex()
        for name, value in self.auth.headers.items():
            request.headers[name] = _filled(value, values)
        return request


def _filled(template: str, values: dict[str, str]) -> str:
    return grammar.PLACEHOLDER.sub(lambda name: values.get(name[1], name[0]), template)


class _Jws(AuthBase):
    """Signs digest and type of the body, day and path, as LINE wants it."""

    def __init__(self, auth: grammar.Jws):
        self.auth = auth

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        now = time.time()
        lines = (
            hashlib.sha256(_body(request)).hexdigest(),
            request.headers.get("Content-Type", ""),
            time.strftime("%Y%m%d", time.gmtime(now)),
            urlsplit(request.url or "").path,
        )
        header = {"alg": "HS256", "kid": self.auth.key, "typ": "text/plain"}
        signed = _signing_input(header, "\n".join(lines).encode())
        signature = hmac.digest(self.auth.secret.encode(), signed.encode(), "sha256")
        request.headers["Date"] = formatdate(now, usegmt=True)
        request.headers["Authorization"] = f"Bearer {signed}.{_base64url(signature)}"
        return request


class _Md5Token(AuthBase):
    """Mintegral's headers: the token changes with the second in which it is made."""

    def __init__(self, auth: grammar.Md5Token):
        self.auth = auth

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        now = str(int(time.time()))
        request.headers["access-key"] = self.auth.access_key
        request.headers["timestamp"] = now
        request.headers["token"] = _md5(self.auth.api_key + _md5(now))
        return request


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class _Renewed(AuthBase):
    """A token in a header, fetched when it is first needed, and again when it runs out."""

    def __init__(self, auth: Any, url: str, sessions: Sessions):
        self.auth, self.url = auth, url
        self.session = sessions(url)
        self.header, self.template = "Authorization", "Bearer {token}"
        self.token, self.ends = "", 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if time.monotonic() >= self.ends:
            self.renew()
        request.headers[self.header] = _filled(self.template, {"token": self.token})
        return request

    def renew(self) -> None:
        """Fetches a new token. Raises ReadError."""
        response = self._asked()
        if response.status_code not in (200, 201):
            raise ReadError(
                f"{host(self.url)} gives no token (HTTP {response.status_code}):"
                " check the credentials, or sign in to the API anew"
            )
        self.token, seconds = self._taken(response.json())
        self.ends = time.monotonic() + seconds * 0.9  # clocks and slow requests

    def _asked(self) -> requests.Response:
        raise NotImplementedError

    def _taken(self, answer: Any) -> tuple[str, float]:
        """The token of an answer, and for how many seconds it is good."""
        raise NotImplementedError


class _LoggedIn(_Renewed):
    """A token for a name and password, or for what a JSON body says."""

    def __init__(self, auth: grammar.Login, sessions: Sessions):
        super().__init__(auth, auth.url, sessions)
        self.header, self.template = auth.header, auth.template

    def _asked(self) -> requests.Response:
        basic = (self.auth.username, self.auth.password or "") if self.auth.username else None
        return self.session.request(
            self.auth.method, self.url, json=self.auth.json_, auth=basic, allow_redirects=False
        )

    def _taken(self, answer: Any) -> tuple[str, float]:
        tokens = found(self.auth.token_path, answer)
        if not tokens or not isinstance(tokens[0], str):
            raise ReadError(f"{host(self.url)} answers without {self.auth.token_path}")
        return tokens[0], self.auth.expires_after


class _Token(_Renewed):
    """A bearer token by one of OAuth's grants."""

    def __init__(self, auth: Any, sessions: Sessions):
        super().__init__(auth, auth.access_token_url, sessions)

    def _asked(self) -> requests.Response:
        data = self._grant() | self.auth.access_token_request_data
        basic = None
        if self.auth.basic:
            basic = data.pop("client_id"), data.pop("client_secret", "")
        return self.session.post(self.url, data=data, auth=basic, allow_redirects=False)

    def _taken(self, answer: Any) -> tuple[str, float]:
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise ReadError(f"{host(self.url)} answers without an access_token")
        self._keep(answer)
        seconds = int(answer.get("expires_in") or self.auth.default_token_expiration)
        return str(answer["access_token"]), seconds

    def _grant(self) -> dict[str, str]:
        secret = getattr(self.auth, "client_secret", None) or _client_secret(self.auth)
        return {
            "grant_type": "client_credentials",
            "client_id": self.auth.client_id,
            "client_secret": secret,
        }

    def _keep(self, answer: dict[str, Any]) -> None:
        """What of an answer must outlive the run."""


def _client_secret(auth: grammar.Es256Jwt) -> str:
    """A JWT signed with the client's private key, as Apple wants it for a secret."""
    now = int(time.time())
    claims = {
        "iss": auth.issuer,
        "sub": auth.client_id,
        "aud": auth.audience,
        "iat": now,
        "exp": now + int(auth.expires_after),
    }
    header = {"alg": "ES256", "kid": auth.key_id}
    signed = _signing_input(header, json.dumps(claims, separators=(",", ":")).encode())
    # a variable of the environment often holds its line ends as \n
    pem = auth.private_key.replace("\\n", "\n").encode()
    try:
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
    except (AssertionError, ValueError, TypeError):
        raise ReadError("private_key is no PEM of an elliptic-curve key without password") from None
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class _Refreshed(_Token):
    """A token for a refresh token. One that the API changes is on disk before it is used."""

    def __init__(self, auth: grammar.RefreshToken, sessions: Sessions, file: Path | None):
        super().__init__(auth, sessions)
        self.file = file
        # a new token in the declaration's variable makes the kept one void
        self.seed = hashlib.sha256(auth.refresh_token.encode()).hexdigest()
        self.refresh_token = auth.refresh_token
        if file and file.is_file():
            try:
                kept = json.loads(file.read_text())
                self.refresh_token = {self.seed: auth.refresh_token, **kept}[self.seed]
            except ValueError:
                raise ReadError(
                    f"{file.name} is no token file: sign in anew, then remove it"
                ) from None

    def _grant(self) -> dict[str, str]:
        grant = {
            "grant_type": "refresh_token",
            "client_id": self.auth.client_id,
            "refresh_token": self.refresh_token,
        }
        if self.auth.client_secret:
            grant["client_secret"] = self.auth.client_secret
        return grant

    def _keep(self, answer: dict[str, Any]) -> None:
        new = answer.get("refresh_token")
        if not new or new == self.refresh_token:
            return
        if self.file is None:
            raise ReadError("the API changed the refresh token, and there is no folder to keep it")
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file.parent.chmod(0o700)
        draft = self.file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({self.seed: new}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.file)
        self.refresh_token = str(new)
