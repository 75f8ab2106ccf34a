"""Distributions of durations: read, refused, drawn with the right mean, the same for the same name."""

import math

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from drsim.randomness import generator
from drsim.wan.distribution import KINDS, Chance, Lognormal, parse_distribution

FORMS = [
    "2 h", "fixed(2 h)", "exponential(20 d)", "weibull(20 d, 0.7)", "weibull(1 h, 3)",
    "lognormal(45 min, 1.2)", "uniform(1 h, 3 h)", "empirical(1 h, 2 h, 5 h)",
]  # fmt: skip


class Holder(BaseModel):
    repair: Chance


@pytest.mark.parametrize("text", FORMS)
def test_draws_have_the_closed_form_mean(text):
    law = parse_distribution(text)
    draws = law.draw(generator(np.random.SeedSequence(1), "x"), 400_000)
    assert draws.shape == (400_000,)
    assert (draws >= 0).all()
    assert draws.mean() == pytest.approx(law.mean(), rel=0.02)


def test_lognormal_is_given_by_its_median():
    law = parse_distribution("lognormal(45 min, 1.2)")
    draws = law.draw(generator(np.random.SeedSequence(1), "x"), 200_000)
    assert isinstance(law, Lognormal)
    assert np.median(draws) == pytest.approx(2700, rel=0.02)
    assert np.log(draws).std() == pytest.approx(1.2, rel=0.02)
    assert law.mean() == pytest.approx(2700 * math.exp(0.72))


def test_every_kind_reads_its_own_example():
    for kind in KINDS.values():
        assert type(parse_distribution(kind.FORM)) is kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exponental(20 d)", "did you mean 'exponential'"),
        ("gauss(1 h)", "known: fixed"),
        ("exponential(20)", "no unit"),
        ("exponential()", "takes 1 argument, not 0"),
        ("weibull(20 d)", "takes 2 arguments, not 1"),
        ("weibull(20 d, 0)", "more than 0"),
        ("weibull(20 d, soon)", "not a number"),
        ("exponential(0)", "more than 0"),
        ("uniform(3 h, 1 h)", "the longer one"),
        ("empirical()", "no file and no durations"),
        ("45", "no unit"),
        ("often", "there is no distribution 'often'"),
        ("((", "not a name with arguments"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        parse_distribution(text)
    with pytest.raises(ValidationError):
        Holder(repair=text)


def test_a_field_gives_back_the_users_text():
    held = Holder(repair="lognormal(45 min, 1.2)")
    assert held.model_dump() == {"repair": "lognormal(45 min, 1.2)"}
    assert Holder(repair=held.repair).repair is held.repair
    assert Holder.model_json_schema()["properties"]["repair"]["type"] == "string"


def test_empirical_files(tmp_path):
    (tmp_path / "units.csv").write_text("# what the help desk saw\n45 min\n\n2 h\n")
    (tmp_path / "plain.csv").write_text("seconds\n60\n180\n")
    law = parse_distribution("empirical(units.csv)")
    assert law.mean(tmp_path) == (2700 + 7200) / 2
    drawn = law.draw(generator(np.random.SeedSequence(1), "x"), 100, tmp_path)
    assert set(drawn.tolist()) == {2700.0, 7200.0}
    assert parse_distribution("empirical(plain.csv)").mean(tmp_path) == 120


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("45 min\n12\n", r"bad.csv:2: .*no unit"),
        ("seconds\n-3\n", r"bad.csv:2: '-3' is not a duration"),
        ("seconds\nnan\n", r"bad.csv:2: 'nan'"),
        ("# nothing\n", "no durations"),
    ],
)
def test_bad_empirical_files_are_located(tmp_path, content, message):
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        parse_distribution("empirical(bad.csv)").mean(tmp_path)


def test_streams_depend_on_their_name_only():
    seeds = np.random.SeedSequence(7)
    first = generator(seeds, "link", "a").random(5).tolist()
    generator(seeds, "link", "b").random(50)
    assert generator(seeds, "link", "a").random(5).tolist() == first
    assert generator(seeds, "link", "b").random(5).tolist() != first
