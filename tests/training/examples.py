"""Nothing here is jitted by itself: steps are made by the caller, ``test_steps.py`` lowers them."""

EXAMPLES: dict = {}
