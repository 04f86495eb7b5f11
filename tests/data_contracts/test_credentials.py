from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from data_contracts.credentials import require_no_password, without_password

PASSWORDS = st.text(st.characters(codec="ascii", exclude_characters="@", categories=["L", "N", "P"]), min_size=9)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://nightshift@db.example/mlflow",
        "postgresql://nightshift@db.example:5432/mlflow?sslmode=verify-full",
        "postgresql://nightshift@/mlflow?host=/run/postgresql",
        "sqlite:////home/ada/mlflow.db",
        "http://127.0.0.1:5000",
        "https://ada@mlflow.example",
    ],
)
def test_an_address_without_a_password_is_taken_as_it_is(address: str) -> None:
    assert require_no_password(address) == address == without_password(address)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://nightshift@db/mlflow?password=hidden",
        "postgresql://nightshift@db/mlflow?sslmode=require&sslpassword=hidden",
        "postgresql://nightshift@db/mlflow?pass%77ord=hidden",
        "postgresql://nightshift:hidden/@db/mlflow",
        "http://ada:hidden@mlflow.example",
    ],
)
def test_one_with_a_password_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match="it holds a password") as refused:
        require_no_password(address)
    assert "hidden" not in str(refused.value)


@given(PASSWORDS)
def test_what_sqlalchemy_takes_for_a_password_is_refused_and_never_shown(password: str) -> None:
    address = f"postgresql://ada:{password}@db/mlflow"
    assert make_url(address).password
    with pytest.raises(ValueError, match="it holds a password"):
        require_no_password(address)
    assert without_password(f"no answer from {address}") == "no answer from postgresql://ada:***@db/mlflow"
