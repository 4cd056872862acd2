"""What a reader can touch: live in a notebook, and in the published page with no kernel.

- ``CodeGrid``            codes to paint with, and the image that a decoder makes of their grid
- ``FaceSliders``         a slider for each factor of a face, and a judge that measures what comes
- ``GaussianPlayground``  a normal posterior against the prior, and the divergence between them
- ``LatentExplorer``      a pad over a 2-D latent space, with the decoder running in the page
- ``Morph``               from one face to another, through the latent space and by a cross-fade
- ``NoisePad``            a digit, picked or drawn, spoilt and cleaned by a network in the page
- ``PlaneDiffusion``      points that dissolve into noise, and a network that brings them back
- ``RateDistortion``      models of several β in the plane of rate and distortion
- ``SortableTable``       measurements, sorted by any column, beside what is commonly said
- ``Switcher``            sliders over precomputed pictures
- ``TangentExplorer``     a digit moved along a tangent, and how far its code moves
- ``TraversalSliders``    a slider for each latent, and what one of them does alone
- ``UnitBrowser``         the units of a sparse code, and digits rebuilt from the strongest of them
- ``WordDigits``          words that call digits out of noise, by diffusion in a latent space
- ``live``                controls that need Python; the published page shows their default result

``base`` has what they share, ``packing`` turns a torch decoder into data, ``portraits`` draws in
colour, ``draws`` has random numbers that a page can repeat. ``static/`` is the front-end:
``network.js`` runs the decoder on the matrix products of ``matmul.js``, ``host.js`` stands in for
the kernel on a page.
"""

from aecore.widgets.code_grid import CodeGrid
from aecore.widgets.face_sliders import FaceSliders
from aecore.widgets.gaussian_playground import GaussianPlayground
from aecore.widgets.latent_explorer import LatentExplorer
from aecore.widgets.live import live
from aecore.widgets.morph import Morph
from aecore.widgets.noise_pad import NoisePad
from aecore.widgets.plane_diffusion import PlaneDiffusion
from aecore.widgets.rate_distortion import RateDistortion
from aecore.widgets.sortable_table import SortableTable
from aecore.widgets.switcher import Switcher
from aecore.widgets.tangent_explorer import TangentExplorer
from aecore.widgets.traversal_sliders import TraversalSliders
from aecore.widgets.unit_browser import UnitBrowser
from aecore.widgets.word_digits import WordDigits

__all__ = [
    "CodeGrid",
    "FaceSliders",
    "GaussianPlayground",
    "LatentExplorer",
    "Morph",
    "NoisePad",
    "PlaneDiffusion",
    "RateDistortion",
    "SortableTable",
    "Switcher",
    "TangentExplorer",
    "TraversalSliders",
    "UnitBrowser",
    "WordDigits",
    "live",
]
