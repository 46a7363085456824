"""What a view leaves in a notebook for whoever opens it without a kernel: its words and its HTML.

Source: IPython, `_repr_mimebundle_`; ipywidgets answers it with a mapping, anywidget with (data, metadata), and both
with nothing where no widget can be shown.
"""

from __future__ import annotations

from typing import Any


class StaticView:
    """A view with `static_html()`; stands before the widget's own class among the bases."""

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle: Any = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]  # of the widget beside us
        if not bundle:
            return bundle
        data, *rest = bundle if isinstance(bundle, tuple) else (bundle,)
        data = data | {"text/plain": repr(self), "text/html": self.static_html()}
        return (data, *rest) if isinstance(bundle, tuple) else data
