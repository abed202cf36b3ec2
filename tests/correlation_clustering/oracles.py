"""The algorithms once more, word by word and in plain Python, to test against."""

from collections import Counter
from fractions import Fraction

import numpy as np


def neighborhoods(edges, n):
    sets = [{v} for v in range(n)]
    for u, v in edges:
        sets[u].add(v)
        sets[v].add(u)
    return sets


def agreement(edges, n, beta=0.2, lam=0.2, strict=False):
    """Labels by least vertex, and by least heavy vertex; steps B1 to B4."""
    beta, lam = Fraction(str(beta)), Fraction(str(lam))
    near = neighborhoods(edges, n)
    degree = [len(near[v]) for v in range(n)]
    agree = set()
    for u, v in edges:
        difference, bound = len(near[u] ^ near[v]), beta * max(degree[u], degree[v])
        if difference < bound or (difference == bound and not strict):
            agree.add((u, v))
    count = Counter(v for pair in agree for v in pair)
    heavy = [degree[v] - (count[v] + 1) <= lam * degree[v] for v in range(n)]
    kept = neighborhoods([(u, v) for u, v in agree if heavy[u] or heavy[v]], n)
    labels = [-1] * n
    for root in range(n):
        stack = [root] if labels[root] < 0 else []
        while stack:
            v = stack.pop()
            if labels[v] < 0:
                labels[v] = root
                stack.extend(kept[v])
    least_heavy = list(range(n))
    for v in range(n):
        members = [u for u in range(n) if labels[u] == labels[v]]
        if len(members) > 1:
            least_heavy[v] = min(u for u in members if heavy[u])
    return labels, least_heavy


def cost(edges, labels):
    n, joined = len(labels), set(map(tuple, np.sort(edges, axis=1).tolist() if len(edges) else []))
    return sum(
        ((u, v) in joined) != (labels[u] == labels[v]) for u in range(n) for v in range(u + 1, n)
    )


def changed(old, new, n_old):
    """Which vertices changed cluster, ids matched greedily by overlap."""
    overlap = Counter((int(old[v]), int(new[v])) for v in range(n_old))
    used_old, used_new, taken = set(), set(), set()
    for (a, b), _ in sorted(overlap.items(), key=lambda item: (-item[1], item[0])):
        if a not in used_old and b not in used_new:
            used_old.add(a)
            used_new.add(b)
            taken.add((a, b))
    return [v < n_old and (int(old[v]), int(new[v])) not in taken for v in range(len(new))]


class Consistent:
    """Steps C1 to C4; ids are never recycled."""

    def __init__(self):
        self.held, self.origin, self.before, self.next = [], {}, [], 0

    def arrive(self, labels):
        newcomer = len(labels) - 1
        self.held.append(self.fresh(1))
        before = [*self.before, newcomer]
        company_before, company = Counter(before), Counter(labels)
        held = list(self.held)
        for c in sorted(c for c in company if company[c] > 1):
            members = [v for v in range(len(labels)) if labels[v] == c]
            stayers = [v for v in members if company_before[before[v]] > 1]
            if stayers:
                votes = Counter(held[v] for v in stayers)
                common = min(votes, key=lambda i: (-votes[i], i))
            else:
                common = held[members[0]]
            for v in members:
                if v not in stayers:
                    self.held[v] = common
            if 2 * len(members) > 3 * self.origin[common]:
                new = self.fresh(len(members))
                for v in members:
                    self.held[v] = new
        self.before = list(labels)
        return list(self.held)

    def fresh(self, size):
        self.origin[self.next] = size
        self.next += 1
        return self.next - 1


class Published:
    """Steps D1 to D8."""

    def __init__(self, n):
        self.m, self.org, self.before = [], [0] * n, []

    def arrive(self, labels):
        v, t = len(labels) - 1, len(labels)
        o = [*self.before, v]
        m = self.m
        m.append(labels[v])
        so, sn = Counter(o), Counter(labels)
        clusters = {c: [x for x in range(t) if labels[x] == c] for c in sorted(sn) if sn[c] > 1}
        for c, members in clusters.items():
            old = [x for x in members if so[o[x]] > 1]
            inherited = o[old[-1]] if old else -1
            singles = sum(1 for x in members if x != v and so[o[x]] == 1)
            if singles == sn[c]:
                seen, best, most = Counter(), 0, 1
                for x in members:
                    seen[m[x]] += 1
                    if seen[m[x]] > most:
                        best, most = m[x], seen[m[x]]
                for x in members:
                    m[x] = best
            else:
                for x in members:
                    if so[o[x]] == 1:
                        m[x] = inherited if inherited >= 0 else c
        unused = [i for i in range(t) if i not in set(m)]
        for i in unused:
            self.org[i] = 0
        for c, members in clusters.items():
            if 2 * sn[c] > 3 * self.org[m[members[0]]] and unused:
                fresh = unused.pop()
                self.org[fresh] = sn[c]
                for x in members:
                    m[x] = fresh
        for x in range(t):
            if self.org[m[x]] == 0:
                self.org[m[x]] = 1
        self.before = list(labels)
        return list(m)


def pivot(edges, n, ranks):
    near = neighborhoods(edges, n)
    labels = [-1] * n
    for v in sorted(range(n), key=lambda v: ranks[v]):
        if labels[v] < 0:
            for u in near[v]:
                if labels[u] < 0:
                    labels[u] = v
    return labels


def cliques_and_noise(rng, n):
    """Edges of a graph with clusters that form, grow and dissolve as its vertices arrive."""
    groups = rng.integers(0, rng.integers(2, 7), n)
    dense, noise = rng.choice([0.8, 0.9, 0.97, 1.0]), rng.choice([0.0, 0.01, 0.04])
    same = groups[:, None] == groups
    chance = np.where(same, dense, noise)
    upper = np.triu(rng.random((n, n)) < chance, 1)
    return np.argwhere(upper)


def equal_partitions(first, second):
    first, second = list(first), list(second)
    pairs = set(zip(first, second, strict=True))
    return len(pairs) == len(set(first)) == len(set(second))
