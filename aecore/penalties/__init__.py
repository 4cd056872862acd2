"""What a loss can ask for besides a good copy: one file for each thing that is limited.

- ``weights``      large weights: weight decay
- ``sparsity``     many active units: L1 and the divergence from a wanted rate
- ``contraction``  codes that move with the input: the Jacobian of the encoder

A penalty is one number an example where it depends on the example, and one number where it does
not; the weight before it is always written by the caller.
"""
