"""What a reader can touch: live in a notebook, and in the published page with no kernel.

- ``LatentExplorer``  a pad over a 2-D latent space, with the decoder running in the page
- ``Switcher``        sliders over precomputed pictures
- ``live``            controls that need Python; the published page shows their default result

``base`` has what they share, ``packing`` turns a torch decoder into data, ``static/`` is the
front-end: ``network.js`` runs the decoder, ``host.js`` stands in for the kernel on a page.
"""

from aecore.widgets.latent_explorer import LatentExplorer
from aecore.widgets.live import live
from aecore.widgets.switcher import Switcher

__all__ = ["LatentExplorer", "Switcher", "live"]
