"""What the name of a column says: its words, and what they stand for in logs."""

import re
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLICK_WORDS = _words("click clicks clicked clk visit visits visited")
CONVERSION_WORDS = _words(
    "conversion conversions conv converted convert purchase purchases purchased buy bought order "
    "orders ordered pay paid payment sale sold transaction install installed subscribed"
)
TIME_WORDS = _words("time timestamp ts date datetime")
# Numbers under these names may write a date, such as 20260105.
DATE_WORDS = TIME_WORDS | _words("at hour day dt ds pt")
ID_WORDS = _words("id ids code category cate type segment group zip brand shop cluster")
# Those whose rows belong together, the likeliest first, and what else their names may say.
GROUP_WORDS = (
    *("user", "uid", "customer", "member", "visitor", "account"),
    *("session", "request", "query"),
)
PASSING = _words("session request impression imp bid trace auction event pageview search")
KEY_WORDS = _words("id uid key hash code uuid guid")
AMOUNT_WORDS = _words(
    "count cnt num number price amount age days score rate qty quantity avg mean sum total "
    "length size duration history value numerical revenue cost spend"
)
# What happened before the impression, though its name has the word of an outcome.
BEFORE_WORDS = _words(
    "hist history historical prev previous last past prior before since ever avg mean median ratio "
    "rate ctr cvr lifetime total cumulative num cnt count counts days ago recency frequency "
    "predicted pred pctr pcvr score"
)
# A column with such a word is an outcome, and so is one with a word of an event and a word that
# says how much of it there was, or when.
OUTCOMES = _words(
    "revenue gmv dwell purchased converted conversion conversions refund refunded checkout "
    "transaction transactions attribution attributed sold"
)
EVENTS = CLICK_WORDS | CONVERSION_WORDS | _words("cart addtocart")
OF_EVENTS = _words(
    "value amount time timestamp ts date at id total sum quantity qty delay lag label flag is pos "
    "nb position"
)
# Of 0/1 columns: what a viewer did.
REACTIONS = _words(
    "like liked follow followed comment commented forward forwarded share shared hate favorite "
    "favourite collect saved cart profile enter addtocart"
)
VIEWED = _words("play played watch watched watching stay view viewed viewing read reading")
LENGTHS = _words("time times ms seconds sec duration")
PAID = _words("pay paid payment")
POSITIONS = _words("position pos rank slot page")
AROUND_POSITIONS = _words(
    "ad ads item display displayed shown list result results banner imp impression index idx no "
    "num number in row col column screen feed search the global absolute relative"
)
WEIGHT_NAMES = re.compile(
    r"(sample|row|instance|example|importance|imp|ips|ipw|inverse_propensity|obs|observation)?_?"
    r"(weight|weights|wt)|importance|ipw|ips|inverse_propensity(_score)?"
)
_GLUED = (
    "user",
    "customer",
    "member",
    "visitor",
    "account",
    "session",
    "request",
    "impression",
    "auction",
    "event",
    "bid",
    "item",
    "order",
    "transaction",
    "purchase",
    "conversion",
    "click",
    "pay",
    "payment",
    "install",
    "trace",
    "page",
    "slot",
    "ad",
)
_GLUE = "id|time|timestamp|date|value|amount|type|num|no|index|price|count|name|weight|rank|pos"


@lru_cache(maxsize=4096)
def words_of(name: str) -> frozenset[str]:
    """The words of a name in lower case; those that logs often write as one are parted.

    >>> sorted(words_of("isClicked_7d")), sorted(words_of("transactionid"))
    (['7d', 'clicked', 'is'], ['id', 'transaction'])
    """
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    found = set(re.split(r"[^a-z0-9]+", spaced.lower())) - {""}
    for word in list(found):
        glued = re.fullmatch(rf"({'|'.join(_GLUED)})({_GLUE})", word)
        if glued is not None:
            found.remove(word)
            found |= set(glued.groups())
    return frozenset(found)


def outcome_name(name: str, *, binary: bool) -> bool:
    """Whether the name says that the column is known only after the impression.

    >>> [outcome_name(n, binary=False) for n in ("order_value", "avg_order_value", "paymentType")]
    [True, False, False]
    """
    words = words_of(name)
    if words & BEFORE_WORDS:
        return False
    if words & OUTCOMES or (words & EVENTS and words & OF_EVENTS):
        return True
    if (words & VIEWED and words & LENGTHS) or (words & PAID and "price" in words):
        return True
    return binary and bool(words & (REACTIONS | EVENTS) or {"long", "view"} <= words)


def position_name(name: str) -> bool:
    """Whether the name is that of a place in a ranking.

    >>> [position_name(n) for n in ("rank", "ad_position", "page", "slot_width", "page_id")]
    [True, True, True, False, False]
    """
    words = words_of(name)
    return bool(words & POSITIONS) and words <= POSITIONS | AROUND_POSITIONS


def weight_name(name: str) -> bool:
    """Whether the name is that of a sample weight.

    >>> [weight_name(n) for n in ("weight", "sampleWeight", "IPW", "shipping_weight")]
    [True, True, True, False]
    """
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().replace(" ", "_").replace("-", "_")
    return WEIGHT_NAMES.fullmatch(snake) is not None


def passing_name(name: str) -> bool:
    """Whether the name is that of a session, a request or the like, which never comes again.

    >>> [passing_name(n) for n in ("session", "requestId", "bid_id", "bid", "session_length")]
    [True, True, True, False, False]
    """
    words = words_of(name)
    alone = words <= {"session", "request"}
    return bool(words & PASSING and (alone or words & KEY_WORDS) and words <= PASSING | KEY_WORDS)
