import pytest

from chassis.auth import Principal
from chassis.errors import NotAuthenticated
from contracts.values import TrustLevel
from tests.support.tokens import Issuer


async def test_a_token_says_who_calls() -> None:
    issuer = Issuer()
    token = issuer.token(kind="staff", sub="clerk-1", acr="high", roles=["clerk"], scope="a b")
    found = await issuer.verifier().verify(token)
    assert found == Principal(
        "clerk-1", "staff", "witten", TrustLevel.HIGH, frozenset({"clerk"}), frozenset({"a", "b"})
    )


async def test_another_issuers_token_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        await Issuer().verifier().verify(Issuer().token())


@pytest.mark.parametrize("wrong", [{"iss": "x"}, {"aud": "x"}, {"exp": 1}, {"kind": "robot"}])
async def test_wrong_claims_are_refused(wrong: dict[str, object]) -> None:
    issuer = Issuer()
    with pytest.raises(NotAuthenticated):
        await issuer.verifier().verify(issuer.token(**wrong))
