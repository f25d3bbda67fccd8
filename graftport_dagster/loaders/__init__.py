"""How staged records become Shopify objects: one algorithm, and what is particular to each resource type."""
