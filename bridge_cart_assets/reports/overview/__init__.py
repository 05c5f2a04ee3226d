"""The first page: how the shop is doing, in six figures, three sentences and two charts."""
