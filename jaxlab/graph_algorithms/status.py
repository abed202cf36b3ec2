"""What the ``status`` of a result means, for paths and assignments alike.

* 0, ``OK``: solved, exactly.
* 1, ``NEGATIVE_CYCLE`` or ``INFEASIBLE``: there is no answer, as a cycle has negative length, every
  assignment needs an edge that is not there, or nothing meets the degrees or supplies that are
  asked for.
* 2, ``OVERFLOW``: the numbers could leave their type, or the keys that are made of them, or did so
  midway; what else is returned means nothing. Lengths that are NaN or −inf are the same, and of an
  assignment costs that are NaN or infinite gains.
* 3, ``LIMIT``: more rounds or steps than were allowed; labels are upper bounds, a matching may be
  partial.
* 4, ``NEGATIVE_ARC``: Dijkstra's algorithm was given a negative length; nothing was done.
* 5, ``NO_SOURCE``: paths were asked for from what is not a vertex; labels mean nothing.
"""

__all__ = ["INFEASIBLE", "LIMIT", "NEGATIVE_ARC", "NEGATIVE_CYCLE", "NO_SOURCE", "OK", "OVERFLOW"]

OK = 0
NEGATIVE_CYCLE = 1
INFEASIBLE = 1
OVERFLOW = 2
LIMIT = 3
NEGATIVE_ARC = 4
NO_SOURCE = 5
