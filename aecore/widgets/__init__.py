"""What a reader can touch: live in a notebook, and in the published page with no kernel.

- ``GaussianPlayground``  a normal posterior against the prior, and the divergence between them
- ``LatentExplorer``      a pad over a 2-D latent space, with the decoder running in the page
- ``NoisePad``            a digit, picked or drawn, spoilt and cleaned by a network in the page
- ``Switcher``            sliders over precomputed pictures
- ``TangentExplorer``     a digit moved along a tangent, and how far its code moves
- ``UnitBrowser``         the units of a sparse code, and digits rebuilt from the strongest of them
- ``live``                controls that need Python; the published page shows their default result

``base`` has what they share, ``packing`` turns a torch decoder into data, ``draws`` has random
numbers that a page can repeat. ``static/`` is the front-end: ``network.js`` runs the decoder,
``host.js`` stands in for the kernel on a page.
"""

from aecore.widgets.gaussian_playground import GaussianPlayground
from aecore.widgets.latent_explorer import LatentExplorer
from aecore.widgets.live import live
from aecore.widgets.noise_pad import NoisePad
from aecore.widgets.switcher import Switcher
from aecore.widgets.tangent_explorer import TangentExplorer
from aecore.widgets.unit_browser import UnitBrowser

__all__ = [
    "GaussianPlayground",
    "LatentExplorer",
    "NoisePad",
    "Switcher",
    "TangentExplorer",
    "UnitBrowser",
    "live",
]
