"""aecore: the models, objectives and instruments that the chapters of the book share.

The map, in reading order:

- ``data``        the data sets, as tensors in [0, 1] with labels or factors
- ``models``      one file a family, plain ``nn.Module``s, the equation in the docstring
- ``objectives``  loss functions: per example, in nats, summed over dimensions
- ``likelihoods`` what a decoder's output says of the data: Bernoulli, Gaussian
- ``bounds``      the ELBO and its relatives, lower bounds on log p(x)
- ``decomposition`` the rate of a VAE in three parts: information, total correlation, marginals
- ``penalties``   what a loss can ask for besides: small weights, few units, a calm code
- ``corruption``  noise and masks for the input of a denoising autoencoder
- ``training``    ``fit``: the one training loop
- ``zoo``         trained models, kept under a key of their settings and their code
- ``metrics``     how good a reconstruction, a sample, a representation is
- ``randomness``  seeds and generators, moved together by ``AECORE_SEED``
- ``evidence``    ``Claim`` and ``verify``: every statement of a chapter, checked by its own run
- ``plots``       the figures of the book
- ``widgets``     what a reader can touch, live in a notebook and in the published page
- ``sphinx``      how figures, widgets and evidence appear in a published page
- ``checks``      what every public function does with bad input

``aecore`` knows nothing of the book; a chapter imports ``aecore`` and never another chapter.
"""

__version__ = "0.1.0"
