#!/usr/bin/env python3
"""Makes cases.json: tokens by joserfc, which is not the library that checks them.

    pip install joserfc && python3 tests/tokens/make.py

Each case has a name, a token and the fault that it has; null is none. The clock of the checks stands at NOW.
The private keys are thrown away, but for the secret.
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
ALL = ["RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA", "Ed25519", "HS256", "none"]

rsa = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"})
rsa_pss = RSAKey.generate_key(2048, {"kid": "any-rsa"})
ec = ECKey.generate_key("P-256", {"kid": "ec"})
ec384 = ECKey.generate_key("P-384", {"kid": "ec384"})
ed = OKPKey.generate_key("Ed25519", {"kid": "ed"})
twin_a = ECKey.generate_key("P-256", {"kid": "twin"})
twin_b = ECKey.generate_key("P-256", {"kid": "twin"})
for_encryption = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
small = RSAKey.generate_key(1024, {"kid": "small"})
stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
secret = OctKey.import_key("a secret of thirty-two bytes ...", {"kid": "secret"})


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes):
    whole = {
        "iss": ISSUER,
        "aud": "chat",
        "sub": "alice",
        "jti": "token-1",
        "sid": "login-1",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 600,
        "scope": "chat read",
        "realm_access": {"roles": ["chat", "admin"]},
    }
    for name, value in changes.items():
        if value is None:
            del whole[name]
        else:
            whole[name] = value
    return whole


def sign(header, payload, key):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.serialize_compact(header, payload, key, algorithms=ALL)


def by_hand(header, payload, key):
    """A header that the library refuses to sign."""
    text = b64(header) + "." + b64(payload)
    signature = key.private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + b64(signature)


RS = {"alg": "RS256", "kid": "rsa"}
right = sign(RS, claims(), rsa)
head, body, signature = right.split(".")
modulus = rsa.as_pem(private=False)


def hs_with_public_key():
    text = b64({"alg": "HS256", "kid": "rsa"}) + "." + body
    return text + "." + b64(hmac.new(modulus, text.encode(), hashlib.sha256).digest())


DUPLICATE = json.dumps(claims())[:-1].encode() + b', "sub": "root"}'
DUPLICATE_EXP = json.dumps(claims(exp=NOW - 600))[:-1].encode() + f', "exp": {NOW + 600}}}'.encode()

cases = {
    # What is right.
    "RS256": (right, None),
    "PS256 of a key without alg": (sign({"alg": "PS256", "kid": "any-rsa"}, claims(), rsa_pss), None),
    "ES256": (sign({"alg": "ES256", "kid": "ec"}, claims(), ec), None),
    "ES384": (sign({"alg": "ES384", "kid": "ec384"}, claims(), ec384), None),
    "EdDSA": (sign({"alg": "EdDSA", "kid": "ed"}, claims(), ed), None),
    "no kid": (sign({"alg": "RS256"}, claims(), rsa), None),
    "the second of two keys of a name": (sign({"alg": "ES256", "kid": "twin"}, claims(), twin_b), None),
    "typ JWT": (sign({**RS, "typ": "JWT"}, claims(), rsa), None),
    "typ at+jwt": (sign({**RS, "typ": "at+jwt"}, claims(), rsa), None),
    "typ application/at+JWT": (sign({**RS, "typ": "application/at+JWT"}, claims(), rsa), None),
    "aud is a list": (sign(RS, claims(aud=["other", "chat"]), rsa), None),
    "exp is a fraction": (sign(RS, claims(exp=NOW + 0.5), rsa), None),
    "expired within the leeway": (sign(RS, claims(exp=NOW - 20), rsa), None),
    "not yet within the leeway": (sign(RS, claims(nbf=NOW + 20), rsa), None),
    "no nbf": (sign(RS, claims(nbf=None), rsa), None),
    "no sub": (sign(RS, claims(sub=None), rsa), None),
    "exp in a million years": (sign(RS, claims(exp=31_536_000_000_000), rsa), None),
    "a jku is ignored": (sign({**RS, "jku": "https://evil.example/jwks"}, claims(), rsa), None),
    # The form.
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
    "kid is a number": (by_hand({"alg": "RS256", "kid": 1}, claims(), rsa), "token_malformed"),
    "a header that stands twice": (
        b64(b'{"alg":"RS256","kid":"rsa","kid":"ec"}') + "." + body + "." + signature,
        "token_malformed",
    ),
    "a claim that stands twice": (sign(RS, DUPLICATE, rsa), "token_malformed"),
    "an exp that stands twice": (sign(RS, DUPLICATE_EXP, rsa), "token_malformed"),
    "9 KiB": (sign(RS, claims(ballast="x" * 9 * 1024), rsa), "token_too_long"),
    "crit of something unknown": (
        by_hand({**RS, "crit": ["http://example.com/unknown"], "http://example.com/unknown": 1}, claims(), rsa),
        "token_malformed",
    ),
    "an empty crit": (by_hand({**RS, "crit": []}, claims(), rsa), "token_malformed"),
    "b64 is false": (by_hand({**RS, "crit": ["b64"], "b64": False}, claims(), rsa), "token_malformed"),
    # The type.
    "typ of a logout": (sign({**RS, "typ": "logout+jwt"}, claims(), rsa), "token_type"),
    "typ of an event": (sign({**RS, "typ": "secevent+jwt"}, claims(), rsa), "token_type"),
    "typ of a proof": (sign({**RS, "typ": "dpop+jwt"}, claims(), rsa), "token_type"),
    "typ is a number": (by_hand({**RS, "typ": 1}, claims(), rsa), "token_malformed"),
    # The algorithm.
    "none": (b64({"alg": "none"}) + "." + body + ".", "token_algorithm"),
    "None": (b64({"alg": "None", "kid": "rsa"}) + "." + body + ".", "token_algorithm"),
    "none with a signature": (b64({"alg": "none", "kid": "rsa"}) + "." + body + "." + signature, "token_algorithm"),
    "an algorithm that is not pinned": (sign({"alg": "RS384", "kid": "any-rsa"}, claims(), rsa_pss), "token_algorithm"),
    "HS256 with the public key": (hs_with_public_key(), "token_algorithm"),
    "HS256 with a secret": (sign({"alg": "HS256", "kid": "rsa"}, claims(), secret), "token_algorithm"),
    # The key.
    "an unknown kid": (sign({**RS, "kid": "other"}, claims(), rsa), "token_key"),
    "an empty kid": (sign({**RS, "kid": ""}, claims(), rsa), "token_key"),
    "a kid that is a path": (sign({**RS, "kid": "../../etc/passwd"}, claims(), rsa), "token_key"),
    "the kid of a key of another family": (sign({**RS, "kid": "ec"}, claims(), rsa), "token_key"),
    "a key that is pinned to another algorithm": (
        sign({"alg": "PS256", "kid": "rsa"}, claims(), rsa_pss),
        "token_key",
    ),
    "a key for encryption": (by_hand({**RS, "kid": "enc"}, claims(), for_encryption), "token_key"),
    "a key of 1024 bits": (by_hand({**RS, "kid": "small"}, claims(), small), "token_key"),
    # The signature.
    "another key of the same kid": (sign(RS, claims(), stranger), "token_signature"),
    "an embedded key": (
        by_hand({**RS, "jwk": stranger.as_dict(private=False)}, claims(), stranger),
        "token_signature",
    ),
    "jku of another": (by_hand({**RS, "jku": "https://evil.example/jwks"}, claims(), stranger), "token_signature"),
    "x5u of another": (by_hand({**RS, "x5u": "https://evil.example/x5u"}, claims(), stranger), "token_signature"),
    "no signature": (head + "." + body + ".", "token_signature"),
    "half a signature": (head + "." + body + "." + signature[:172], "token_signature"),
    "the signature of other claims": (head + "." + b64(claims(sub="root")) + "." + signature, "token_signature"),
    "ES256 as DER": (
        sign({"alg": "ES256", "kid": "ec"}, claims(), ec).rsplit(".", 1)[0]
        + "."
        + b64(bytes.fromhex("3006020101020101")),
        "token_signature",
    ),
    # The issuer and the audience.
    "another iss": (sign(RS, claims(iss="https://evil.example/"), rsa), "token_issuer"),
    "iss without its slash": (sign(RS, claims(iss=ISSUER[:-1]), rsa), "token_issuer"),
    "iss is a list": (sign(RS, claims(iss=[ISSUER, "https://evil.example/"]), rsa), "token_issuer"),
    "no iss": (sign(RS, claims(iss=None), rsa), "token_claims"),
    "another aud": (sign(RS, claims(aud="mail"), rsa), "token_audience"),
    "aud is an empty list": (sign(RS, claims(aud=[]), rsa), "token_audience"),
    "no aud": (sign(RS, claims(aud=None), rsa), "token_claims"),
    # The time.
    "expired": (sign(RS, claims(exp=NOW - 31), rsa), "token_expired"),
    "expired at the end of the leeway": (sign(RS, claims(exp=NOW - 30), rsa), "token_expired"),
    "exp is zero": (sign(RS, claims(exp=0), rsa), "token_expired"),
    "exp is negative": (sign(RS, claims(exp=-1), rsa), "token_claims"),
    "exp is text": (sign(RS, claims(exp=str(NOW + 600)), rsa), "token_claims"),
    "no exp": (sign(RS, claims(exp=None), rsa), "token_claims"),
    "not yet": (sign(RS, claims(nbf=NOW + 31), rsa), "token_not_yet"),
    "nbf is text": (sign(RS, claims(nbf="now"), rsa), "token_claims"),
}

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


def logout(**changes):
    return {
        "iss": ISSUER,
        "aud": "chat",
        "iat": NOW - 10,
        "exp": NOW + 110,
        "jti": "logout-1",
        "sub": "alice",
        "events": {LOGOUT: {}},
        **changes,
    }


LT = {**RS, "typ": "logout+jwt"}
logouts = {
    "of a subject": (sign(LT, logout(), rsa), None),
    "of a login": (sign(LT, {**logout(sid="login-1"), "sub": ""}, rsa), None),
    "without a type of its own": (sign({**RS, "typ": "JWT"}, logout(), rsa), None),
    "of nobody": (sign(LT, logout(sub=""), rsa), "token_claims"),
    "without the event": (sign(LT, logout(events={}), rsa), "token_claims"),
    "an identity token": (sign(RS, claims(), rsa), "token_claims"),
    "with a nonce": (sign(LT, logout(nonce="n"), rsa), "token_claims"),
    "of yesterday": (sign(LT, logout(iat=NOW - 86_400), rsa), "token_expired"),
    "of tomorrow": (sign(LT, logout(iat=NOW + 86_400, exp=NOW + 90_000), rsa), "token_not_yet"),
    "of another issuer": (sign(LT, logout(iss="https://evil.example/"), rsa), "token_issuer"),
    "of a stranger": (sign(LT, logout(), stranger), "token_signature"),
    "an access token": (sign({**RS, "typ": "at+jwt"}, logout(), rsa), "token_type"),
}

keys = [rsa, rsa_pss, ec, ec384, ed, twin_a, twin_b, for_encryption, small]
written = {
    "now": NOW,
    "jwks": {"keys": [{"kty": "oct", "kid": "symmetric", "k": b64(b"public secret")}]
             + [key.as_dict(private=False) for key in keys]},
    "tokens": [{"name": name, "token": token, "fault": fault} for name, (token, fault) in cases.items()],
    "logouts": [{"name": name, "token": token, "fault": fault} for name, (token, fault) in logouts.items()],
    "secret": {
        "secret": "a secret of thirty-two bytes ...",
        "token": sign({"alg": "HS256"}, claims(), secret),
        "other": sign({"alg": "HS256"}, claims(), OctKey.import_key("another secret of its own length")),
    },
}
(HERE / "cases.json").write_text(json.dumps(written, indent=1) + "\n")
print(len(cases), "tokens,", len(logouts), "logouts")
