"""Where rows come from: the protocol in `source`, the door in `opening`; nothing of Shopify."""
