"""Runs that a method consists of: settings of each start of a mean."""

from postclick.errors import InputError
from postclick.methods import FittedMethod, find_method
from postclick.runs.settings import RunSettings


def member_settings(settings: RunSettings) -> tuple[RunSettings, ...]:
    """Settings of each start of a method's members; none of a method that has no members.

    Network and training are those of the whole run where a member has none of its own. Start k of
    n has the seed n * seed + k, so that means of several seeds share no start.

    Raises:
        InputError: a member has settings that cannot be.

    >>> mean = RunSettings.make("mean_of", overrides=["members=[esmm,naive*2]", "lr=0.01"], seed=1)
    >>> [(one.method, one.seed, one.training.lr) for one in member_settings(mean)]
    [('esmm', 3, 0.01), ('naive', 4, 0.01), ('naive', 5, 0.01)]
    """
    method, _ = find_method(settings.method)
    if not issubclass(method, FittedMethod):
        return ()
    starts = method.members_of(settings.method_config)
    network, training = settings.network.model_dump(), settings.training.model_dump()
    found = []
    for number, start in enumerate(starts):
        own = {
            "options": start.options,
            "network": {**network, **start.network},
            "training": {**training, **start.training},
        }
        seed = len(starts) * settings.seed + number
        try:
            found.append(RunSettings.make(start.method, config=own, seed=seed))
        except InputError as error:
            raise InputError(f"member {start.method}: {error}") from None
    return tuple(found)
