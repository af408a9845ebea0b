"""`RowwiseAdam`: Adam for models with large embedding tables, as an ordinary torch optimizer."""

from collections.abc import Callable
from typing import Any, get_args, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT
from torch.utils.hooks import RemovableHandle

from postclick.errors import InputError
from postclick.optim.adam_settings import AdamSettings, Mode
from postclick.optim.dense_adam import adam_step, ready_state
from postclick.optim.embedding_hooks import embeddings_of, hook
from postclick.optim.row_tables import RowAdam, RowTables
from postclick.suggest import meant

# Options of torch's own optimizers, in a state dict of theirs, that mean another rule.
OTHER_RULES = ("amsgrad", "maximize", "decoupled_weight_decay")


class RowwiseAdam(Optimizer):
    """Adam that moves only the rows of a table that a batch touches.

    Tables are the weights of `nn.Embedding(sparse=True)` and `nn.EmbeddingBag(sparse=True)`, or
    whatever else has sparse gradients by row; a step costs by touched rows, not by table size.
    float32 tables in CPU memory are moved by a compiled kernel, others by torch code; parameters
    with dense gradients by torch's fused Adam. The first table in CPU memory loads the kernel; the
    first one after an installation has it compiled, which takes some ten seconds.

    What a row does while no batch touches it is the `mode`:

    * `sparse`: it stays, and so do its moments. This is `torch.optim.SparseAdam` (which has no
      weight decay and adds `eps` before the bias correction), and nothing is asked of the training
      loop. Weight decay acts on a row only when a batch touches it.
    * `exact`: it moves as under `torch.optim.Adam` with dense gradients, number for number to
      float32 rounding: momentum runs out and decay pulls. The missed steps are taken, one by one,
      before the row is next read. On a table that the kernel does not take every step sweeps it
      whole.
    * `lazy`: the same, but waits of more than 16 steps in closed form, so that the cost hardly
      depends on how long rows wait.

    Under `exact` and `lazy` rows have to be brought to the present before they are read: `attach`
    the model once and its lookups do so themselves, or call `prepare` before each; and call
    `catch_up` before a table is read or written in any other way. A step whose gradients are of
    rows that were read too old is refused.

    Args:
        params: parameters, or dicts with `params` and options of their own.
        lr: learning rate; schedulers of `torch.optim.lr_scheduler` change it as usual.
        betas: how much of each moment a step keeps. Changing them (or `eps` or `weight_decay`) in
            `param_groups` is possible; under `exact` and `lazy` each change costs a sweep.
        eps: added to the root of the second moment after its bias correction.
        weight_decay: L2 added to the gradient (coupled).
        mode: see above.

    Raises:
        InputError: an option is out of range, or a parameter is complex.

    State dicts have the keys of `torch.optim.Adam`, so one can go on from the other's. Under
    `exact` and `lazy` making one brings all rows to the present first: attach the model, or call
    `catch_up` before the state dicts of model and optimizer are made. Call it before a model or
    its optimizer is copied or pickled, too; a copy is attached anew.

    Not offered: amsgrad, maximize, a gradient of the gradient. `torch.nn.utils.clip_grad_norm_`
    cannot take sparse gradients; dense ones of the networks it can.

    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.EmbeddingBag(100, 4, sparse=True), nn.Linear(4, 1))
    >>> optimizer = RowwiseAdam(model.parameters(), lr=0.05, weight_decay=1e-4, mode="exact")
    >>> _ = optimizer.attach(model)
    >>> bags, target = torch.tensor([[1, 2], [3, 3]]), torch.tensor([[1.0], [2.0]])
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     nn.functional.mse_loss(model(bags), target).backward()
    ...     optimizer.step()
    >>> [round(y, 2) for y in model(bags).flatten().tolist()]
    [1.0, 2.0]

    References:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        mode: Mode = "sparse",
    ) -> None:
        if mode not in get_args(Mode):
            raise InputError(
                f"mode={mode!r}{meant(mode, get_args(Mode))}"
                f": choose from {', '.join(get_args(Mode))}"
            )
        self.mode: Mode = mode
        self._tables = RowTables(mode)
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train further parameters, with options of their own or the defaults.

        Raises:
            InputError: an option is out of range, or a parameter is complex.
        """
        options = {**self.defaults, **param_group}
        if not float(options["lr"]) >= 0:
            raise InputError(f"lr={float(options['lr'])}: take 0 or more")
        settings = AdamSettings.of(options)
        if self.mode == "lazy":
            settings.check_closed_form()
        super().add_param_group(param_group)
        if any(p.is_complex() for p in self.param_groups[-1]["params"]):
            self.param_groups.pop()
            raise InputError("complex parameters cannot be trained: give their real view")

    def attach(self, module: nn.Module) -> list[RemovableHandle]:
        """Have the embeddings within `module` bring rows to the present before they are read.

        Before each lookup its rows are brought up, in training and in evaluation; before the
        module's state dict is made or loaded, whole tables are. Under `sparse` rows do not wait
        and nothing is hooked.

        Returns:
            What takes the hooks off again, by `remove()`.

        Raises:
            InputError: it has no `nn.Embedding` or `nn.EmbeddingBag` with `sparse=True` whose
                weight this optimizer trains.
        """
        embeddings = embeddings_of(self, module)
        if not embeddings:
            raise InputError(
                f"{type(module).__name__} has no nn.Embedding(sparse=True) or nn.EmbeddingBag("
                "sparse=True) with a weight of this optimizer: attach one that does, or call "
                "prepare(table, ids) before rows are read"
            )
        if self.mode == "sparse":
            return []
        return [handle for embedding in embeddings for handle in hook(self, embedding)]

    def trains(self, table: Tensor) -> bool:
        """Whether `table` is one of this optimizer's parameters."""
        return any(table is p for group in self.param_groups for p in group["params"])

    @torch.no_grad()
    def prepare(self, table: Tensor, ids: Tensor) -> None:
        """Bring the rows `ids` (integers, any shape, repeats allowed) of a table to the present.

        Raises:
            InputError: the table is not of this optimizer, or has no such rows.
        """
        group = self._group_of(table)
        if self.mode == "sparse":
            return
        if ids.is_floating_point() or ids.dtype == torch.bool:
            raise InputError(f"ids are {ids.dtype}: give row numbers, as torch.int64")
        ids = ids.reshape(-1).long()
        if len(ids):
            low, high = torch.aminmax(ids)
            if low < 0 or high >= len(table):
                raise InputError(
                    f"ids reach from {int(low)} to {int(high)}, and the table has rows 0 to "
                    f"{len(table) - 1}"
                )
        row = self._row(table, group)
        if row is not None:
            row.prepare(ids)

    @torch.no_grad()
    def catch_up(self, table: Tensor | None = None) -> None:
        """Bring every row of a table, or of all tables, to the present."""
        for known in self._tables if table is None else [table]:
            group = self._group_of(known)
            row = self._row(known, group) if known in self._tables else None
            if row is not None:
                row.catch_up_all()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move all parameters that have a gradient.

        Args:
            closure: computes the loss and its gradients again, and returns the loss.

        Raises:
            InputError: under `exact` and `lazy`, rows were read before they were brought to the
                present; or a gradient is sparse in another way than by row.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            dense: list[tuple[Tensor, Tensor]] = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if not self._step_rows(parameter, parameter.grad, group):
                    dense.append((parameter, parameter.grad.to_dense()))
            if dense:
                parameters, gradients = zip(*dense, strict=True)
                states = [ready_state(self.state[p], p) for p in parameters]
                adam_step(parameters, gradients, states, AdamSettings.of(group), float(group["lr"]))
        return loss

    def _step_rows(self, table: Tensor, gradient: Tensor, group: dict[str, Any]) -> bool:
        """Move the rows of a sparse gradient; false if the whole parameter has to be moved."""
        shape = list(table.shape)
        if gradient.layout == torch.strided:
            if table in self._tables:
                raise InputError(
                    f"a table {shape} had sparse gradients and has a dense one now: read it "
                    "through lookups with sparse=True alone, or without any"
                )
            return False
        if not gradient.is_sparse or gradient.sparse_dim() != 1 or table.dim() != 2:
            raise InputError(
                f"the gradient of a parameter {shape} is sparse, but not by row of a table "
                "[rows, dim]: make it dense before the step"
            )
        row = self._row(table, group)
        if row is None:
            return False
        ids, values = gradient._indices()[0].long(), gradient._values().detach()
        late = row.behind(ids)
        if late:
            raise InputError(
                f"{late} of {len(ids)} gradients of a table {shape} are of rows that were read "
                f"before they were brought to the present: under mode={self.mode!r} call "
                "attach(model) once, or prepare(table, ids) before each lookup"
            )
        if not row.is_prepared_for(ids):
            row.prepare(ids)
        row.step(ids, values, float(group["lr"]))
        return True

    def _row(self, table: Tensor, group: dict[str, Any]) -> RowAdam | None:
        return self._tables.find(table, AdamSettings.of(group), self.state)

    def _group_of(self, table: Tensor) -> dict[str, Any]:
        for group in self.param_groups:
            if any(table is p for p in group["params"]):
                return group
        raise InputError(
            f"a table {list(table.shape)} is not a parameter of this optimizer: give the one "
            "itself, such as embedding.weight, not its data"
        )

    def state_dict(self) -> dict[str, Any]:
        """Options and state; all rows are brought to the present first."""
        self.catch_up()
        try:
            self.state.update(self._tables.states())
            return super().state_dict()
        finally:
            for table in self._tables:
                del self.state[table]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave, here or of `torch.optim.Adam` or `SparseAdam`.

        Raises:
            InputError: it is of an optimizer with another rule (amsgrad, maximize, AdamW).
        """
        for group in state_dict["param_groups"]:
            other = [option for option in OTHER_RULES if group.get(option)]
            if other:
                raise InputError(f"the state is of an optimizer with {other[0]}=True: it differs")
        super().load_state_dict(state_dict)
        self._tables = RowTables(self.mode)
        for group in self.param_groups:
            for option, value in self.defaults.items():
                group.setdefault(option, value)

    def __getstate__(self) -> dict[str, Any]:
        waiting = self._tables.waiting()
        if waiting:
            raise InputError(f"{waiting} rows wait: call catch_up() before the optimizer is copied")
        state = self.state.copy()
        state.update(self._tables.states())
        return {**super().__getstate__(), "state": state, "mode": self.mode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "mode" in state:  # a copy; torch calls this when it loads a state, too
            self._tables = RowTables(self.mode)
