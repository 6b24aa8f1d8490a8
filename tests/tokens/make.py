#!/usr/bin/env python3
"""Makes cases.json: tokens by joserfc, which is not the library that checks them.

    pip install joserfc && python3 tests/tokens/make.py

Each case has a name, a token and the fault that it has; null is none. The clock of the checks stands at NOW.
The private keys are thrown away, but for the secret. tests/real/auth makes the same with the clock of the day.
"""

import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

NOW = 1_800_000_000
ISSUER = "https://id.example.com/"
HERE = pathlib.Path(__file__).parent
SECRET = "a secret of thirty-two bytes ..."
ALL = ["RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA", "Ed25519", "HS256", "none"]
RS = {"alg": "RS256", "kid": "rsa"}
LT = {**RS, "typ": "logout+jwt"}
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class Maker:
    """The keys of an issuer, and the tokens that it makes where the clock stands at `now`."""

    def __init__(self, now):
        self.now = now
        self.rsa = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"})
        self.rsa_pss = RSAKey.generate_key(2048, {"kid": "any-rsa"})
        self.ec = ECKey.generate_key("P-256", {"kid": "ec"})
        self.ec384 = ECKey.generate_key("P-384", {"kid": "ec384"})
        self.ed = OKPKey.generate_key("Ed25519", {"kid": "ed"})
        self.twin_a = ECKey.generate_key("P-256", {"kid": "twin"})
        self.twin_b = ECKey.generate_key("P-256", {"kid": "twin"})
        self.for_encryption = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
        self.small = RSAKey.generate_key(1024, {"kid": "small"})
        self.stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
        self.secret = OctKey.import_key(SECRET, {"kid": "secret"})

    def claims(self, **changes):
        whole = {
            "iss": ISSUER,
            "aud": "chat",
            "sub": "alice",
            "jti": "token-1",
            "sid": "login-1",
            "iat": self.now - 10,
            "nbf": self.now - 10,
            "exp": self.now + 600,
            "scope": "chat read",
            "realm_access": {"roles": ["chat", "admin"]},
        }
        for name, value in changes.items():
            if value is None:
                del whole[name]
            else:
                whole[name] = value
        return whole

    def logout(self, **changes):
        return {
            "iss": ISSUER,
            "aud": "chat",
            "iat": self.now - 10,
            "exp": self.now + 110,
            "jti": "logout-1",
            "sub": "alice",
            "events": {LOGOUT: {}},
            **changes,
        }

    def cases(self):
        """By name: a token, and its fault."""
        right = sign(RS, self.claims(), self.rsa)
        return {
            **self.right(right),
            **self.forms(right),
            **self.types(right),
            **self.algorithms(right),
            **self.keys_of_others(right),
            **self.signatures(right),
            **self.parties(right),
            **self.times(right),
        }

    def right(self, right):
        """What lets in."""
        return {
            "RS256": (right, None),
            "PS256 of a key without alg": (sign({"alg": "PS256", "kid": "any-rsa"}, self.claims(), self.rsa_pss), None),
            "ES256": (sign({"alg": "ES256", "kid": "ec"}, self.claims(), self.ec), None),
            "ES384": (sign({"alg": "ES384", "kid": "ec384"}, self.claims(), self.ec384), None),
            "EdDSA": (sign({"alg": "EdDSA", "kid": "ed"}, self.claims(), self.ed), None),
            "no kid": (sign({"alg": "RS256"}, self.claims(), self.rsa), None),
            "the second of two keys of a name": (sign({"alg": "ES256", "kid": "twin"}, self.claims(), self.twin_b), None),
            "typ JWT": (sign({**RS, "typ": "JWT"}, self.claims(), self.rsa), None),
            "typ at+jwt": (sign({**RS, "typ": "at+jwt"}, self.claims(), self.rsa), None),
            "typ application/at+JWT": (sign({**RS, "typ": "application/at+JWT"}, self.claims(), self.rsa), None),
            "aud is a list": (sign(RS, self.claims(aud=["other", "chat"]), self.rsa), None),
            "exp is a fraction": (sign(RS, self.claims(exp=self.now + 0.5), self.rsa), None),
            "expired within the leeway": (sign(RS, self.claims(exp=self.now - 20), self.rsa), None),
            "not yet within the leeway": (sign(RS, self.claims(nbf=self.now + 20), self.rsa), None),
            "no nbf": (sign(RS, self.claims(nbf=None), self.rsa), None),
            "no sub": (sign(RS, self.claims(sub=None), self.rsa), None),
            "exp in a million years": (sign(RS, self.claims(exp=31_536_000_000_000), self.rsa), None),
            "a jku is ignored": (sign({**RS, "jku": "https://evil.example/jwks"}, self.claims(), self.rsa), None),
        }

    def forms(self, right):
        """The form."""
        head, body, signature = right.split(".")
        twice = json.dumps(self.claims())[:-1].encode() + b', "sub": "root"}'
        exp_twice = json.dumps(self.claims(exp=self.now - 600))[:-1].encode() + f', "exp": {self.now + 600}}}'.encode()
        return {
            "empty": ("", "token_malformed"),
            "a word": ("secret", "token_malformed"),
            "two parts": (head + "." + body, "token_malformed"),
            "four parts": (right + ".x", "token_malformed"),
            "five parts, encrypted": ("a.b.c.d.e", "token_malformed"),
            "header is no base64": ("!!." + body + "." + signature, "token_malformed"),
            "header with padding": (head + "==." + body + "." + signature, "token_malformed"),
            "header is a list": (b64([]) + "." + body + "." + signature, "token_malformed"),
            "header has no alg": (b64({"kid": "rsa"}) + "." + body + "." + signature, "token_malformed"),
            "claims are no JSON": (head + "." + b64(b"claims") + "." + signature, "token_malformed"),
            "kid is a number": (by_hand({"alg": "RS256", "kid": 1}, self.claims(), self.rsa), "token_malformed"),
            "a header that stands twice": (
                b64(b'{"alg":"RS256","kid":"rsa","kid":"ec"}') + "." + body + "." + signature,
                "token_malformed",
            ),
            "a claim that stands twice": (sign(RS, twice, self.rsa), "token_malformed"),
            "an exp that stands twice": (sign(RS, exp_twice, self.rsa), "token_malformed"),
            "9 KiB": (sign(RS, self.claims(ballast="x" * 9 * 1024), self.rsa), "token_too_long"),
            "crit of something unknown": (
                by_hand({**RS, "crit": ["http://example.com/unknown"], "http://example.com/unknown": 1}, self.claims(), self.rsa),
                "token_malformed",
            ),
            "an empty crit": (by_hand({**RS, "crit": []}, self.claims(), self.rsa), "token_malformed"),
            "b64 is false": (by_hand({**RS, "crit": ["b64"], "b64": False}, self.claims(), self.rsa), "token_malformed"),
        }

    def types(self, right):
        """The type."""
        return {
            "typ of a logout": (sign({**RS, "typ": "logout+jwt"}, self.claims(), self.rsa), "token_type"),
            "typ of an event": (sign({**RS, "typ": "secevent+jwt"}, self.claims(), self.rsa), "token_type"),
            "typ of a proof": (sign({**RS, "typ": "dpop+jwt"}, self.claims(), self.rsa), "token_type"),
            "typ is a number": (by_hand({**RS, "typ": 1}, self.claims(), self.rsa), "token_malformed"),
        }

    def algorithms(self, right):
        """The algorithm."""
        head, body, signature = right.split(".")
        return {
            "none": (b64({"alg": "none"}) + "." + body + ".", "token_algorithm"),
            "None": (b64({"alg": "None", "kid": "rsa"}) + "." + body + ".", "token_algorithm"),
            "none with a signature": (b64({"alg": "none", "kid": "rsa"}) + "." + body + "." + signature, "token_algorithm"),
            "an algorithm that is not pinned": (sign({"alg": "RS384", "kid": "any-rsa"}, self.claims(), self.rsa_pss), "token_algorithm"),
            "HS256 with the public key": (self.with_the_public_key(body), "token_algorithm"),
            "HS256 with a secret": (sign({"alg": "HS256", "kid": "rsa"}, self.claims(), self.secret), "token_algorithm"),
        }

    def keys_of_others(self, right):
        """The key."""
        return {
            "an unknown kid": (sign({**RS, "kid": "other"}, self.claims(), self.rsa), "token_key"),
            "an empty kid": (sign({**RS, "kid": ""}, self.claims(), self.rsa), "token_key"),
            "a kid that is a path": (sign({**RS, "kid": "../../etc/passwd"}, self.claims(), self.rsa), "token_key"),
            "the kid of a key of another family": (sign({**RS, "kid": "ec"}, self.claims(), self.rsa), "token_key"),
            "a key that is pinned to another algorithm": (
                sign({"alg": "PS256", "kid": "rsa"}, self.claims(), self.rsa_pss),
                "token_key",
            ),
            "a key for encryption": (by_hand({**RS, "kid": "enc"}, self.claims(), self.for_encryption), "token_key"),
            "a key of 1024 bits": (by_hand({**RS, "kid": "small"}, self.claims(), self.small), "token_key"),
        }

    def signatures(self, right):
        """The signature."""
        head, body, signature = right.split(".")
        return {
            "another key of the same kid": (sign(RS, self.claims(), self.stranger), "token_signature"),
            "an embedded key": (
                by_hand({**RS, "jwk": self.stranger.as_dict(private=False)}, self.claims(), self.stranger),
                "token_signature",
            ),
            "jku of another": (by_hand({**RS, "jku": "https://evil.example/jwks"}, self.claims(), self.stranger), "token_signature"),
            "x5u of another": (by_hand({**RS, "x5u": "https://evil.example/x5u"}, self.claims(), self.stranger), "token_signature"),
            "no signature": (head + "." + body + ".", "token_signature"),
            "half a signature": (head + "." + body + "." + signature[:172], "token_signature"),
            "the signature of other claims": (head + "." + b64(self.claims(sub="root")) + "." + signature, "token_signature"),
            "ES256 as DER": (
                sign({"alg": "ES256", "kid": "ec"}, self.claims(), self.ec).rsplit(".", 1)[0]
                + "."
                + b64(bytes.fromhex("3006020101020101")),
                "token_signature",
            ),
        }

    def parties(self, right):
        """The issuer and the audience."""
        return {
            "another iss": (sign(RS, self.claims(iss="https://evil.example/"), self.rsa), "token_issuer"),
            "iss without its slash": (sign(RS, self.claims(iss=ISSUER[:-1]), self.rsa), "token_issuer"),
            "iss is a list": (sign(RS, self.claims(iss=[ISSUER, "https://evil.example/"]), self.rsa), "token_issuer"),
            "no iss": (sign(RS, self.claims(iss=None), self.rsa), "token_claims"),
            "another aud": (sign(RS, self.claims(aud="mail"), self.rsa), "token_audience"),
            "aud is an empty list": (sign(RS, self.claims(aud=[]), self.rsa), "token_audience"),
            "no aud": (sign(RS, self.claims(aud=None), self.rsa), "token_claims"),
        }

    def times(self, right):
        """The time."""
        return {
            "expired": (sign(RS, self.claims(exp=self.now - 31), self.rsa), "token_expired"),
            "expired at the end of the leeway": (sign(RS, self.claims(exp=self.now - 30), self.rsa), "token_expired"),
            "exp is zero": (sign(RS, self.claims(exp=0), self.rsa), "token_expired"),
            "exp is negative": (sign(RS, self.claims(exp=-1), self.rsa), "token_claims"),
            "exp is text": (sign(RS, self.claims(exp=str(self.now + 600)), self.rsa), "token_claims"),
            "no exp": (sign(RS, self.claims(exp=None), self.rsa), "token_claims"),
            "not yet": (sign(RS, self.claims(nbf=self.now + 31), self.rsa), "token_not_yet"),
            "nbf is text": (sign(RS, self.claims(nbf="now"), self.rsa), "token_claims"),
        }

    def with_the_public_key(self, body):
        """HMAC with what everybody knows."""
        text = b64({"alg": "HS256", "kid": "rsa"}) + "." + body
        return text + "." + b64(hmac.new(self.rsa.as_pem(private=False), text.encode(), hashlib.sha256).digest())

    def logouts(self):
        """The same of tokens that end logins."""
        return {
            "of a subject": (sign(LT, self.logout(), self.rsa), None),
            "of a login": (sign(LT, {**self.logout(sid="login-1"), "sub": ""}, self.rsa), None),
            "without a type of its own": (sign({**RS, "typ": "JWT"}, self.logout(), self.rsa), None),
            "of nobody": (sign(LT, self.logout(sub=""), self.rsa), "token_claims"),
            "without the event": (sign(LT, self.logout(events={}), self.rsa), "token_claims"),
            "an identity token": (sign(RS, self.claims(), self.rsa), "token_claims"),
            "with a nonce": (sign(LT, self.logout(nonce="n"), self.rsa), "token_claims"),
            "of yesterday": (sign(LT, self.logout(iat=self.now - 86_400), self.rsa), "token_expired"),
            "of tomorrow": (sign(LT, self.logout(iat=self.now + 86_400, exp=self.now + 90_000), self.rsa), "token_not_yet"),
            "of another issuer": (sign(LT, self.logout(iss="https://evil.example/"), self.rsa), "token_issuer"),
            "of a stranger": (sign(LT, self.logout(), self.stranger), "token_signature"),
            "an access token": (sign({**RS, "typ": "at+jwt"}, self.logout(), self.rsa), "token_type"),
        }

    def jwks(self):
        """The public keys, and a secret that is none."""
        keys = [self.rsa, self.rsa_pss, self.ec, self.ec384, self.ed, self.twin_a, self.twin_b, self.for_encryption, self.small]
        symmetric = {"kty": "oct", "kid": "symmetric", "k": b64(b"public secret")}
        return {"keys": [symmetric] + [key.as_dict(private=False) for key in keys]}


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header, payload, key):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.serialize_compact(header, payload, key, algorithms=ALL)


def by_hand(header, payload, key):
    """A header that the library refuses to sign."""
    text = b64(header) + "." + b64(payload)
    signature = key.private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + b64(signature)


def main():
    maker = Maker(NOW)
    cases, logouts = maker.cases(), maker.logouts()
    written = {
        "now": NOW,
        "jwks": maker.jwks(),
        "tokens": [{"name": name, "token": token, "fault": fault} for name, (token, fault) in cases.items()],
        "logouts": [{"name": name, "token": token, "fault": fault} for name, (token, fault) in logouts.items()],
        "secret": {
            "secret": SECRET,
            "token": sign({"alg": "HS256"}, maker.claims(), maker.secret),
            "other": sign({"alg": "HS256"}, maker.claims(), OctKey.import_key("another secret of its own length")),
        },
    }
    (HERE / "cases.json").write_text(json.dumps(written, indent=1) + "\n")
    print(len(cases), "tokens,", len(logouts), "logouts")


if __name__ == "__main__":
    main()
