"""What the simulated shops that are moved from have in common: faults, control from outside, being served.

What a platform asks, answers and refuses is in a package of its own (`magento`, `woocommerce`); the
simulated Shopify, which is moved into, has parts of its own for all of this but listening.
"""
