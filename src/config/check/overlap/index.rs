//! Finds the first route that covers another one, without a look at every one before it.
//!
//! Routes stand in a tree by the segments of their paths; those of one path stand by host and by
//! subprotocol. A look-up goes along the paths that cover the wanted one, and takes from each the fewest
//! routes that can.

use std::collections::{HashMap, HashSet};

use crate::config::settings::{EncodedSlashes, RouteSettings};
use crate::config::values::{HostPattern, PathPattern};

/// Routes in their order, of which none covers another.
#[derive(Default)]
pub(super) struct Index<'r> {
    /// The nodes below a node, by the next segment; `None` is a parameter. The root is 0.
    nodes: HashMap<(usize, Option<&'r str>), usize>,
    /// The routes whose path ends at a node, by whether it is open.
    places: HashMap<(usize, bool), Place<'r>>,
    routes: HashMap<usize, Indexed<'r>>,
    /// Nodes and routes that were looked at.
    pub(super) steps: usize,
}

/// The routes of one path, in their order; `None` is every host, or every offer.
#[derive(Default)]
struct Place<'r> {
    by_host: HashMap<Option<&'r HostPattern>, Vec<usize>>,
    by_subprotocol: HashMap<Option<&'r str>, Vec<usize>>,
}

struct Indexed<'r> {
    path: &'r PathPattern,
    hosts: HashSet<&'r HostPattern>,
    subprotocols: HashSet<&'r str>,
    refuses_slashes: bool,
}

/// A route to find another one for.
struct Wanted<'r> {
    path: &'r PathPattern,
    /// For each host the patterns that cover it.
    hosts: Vec<Vec<HostPattern>>,
    subprotocols: &'r [String],
    /// Its encoded slashes are decoded: only what refuses those takes it.
    is_decoded: bool,
}

impl<'r> Index<'r> {
    /// The number of the first route that covers this one. If there is none, this one is added.
    pub(super) fn find_or_add(&mut self, number: usize, route: &'r RouteSettings) -> Option<usize> {
        let path = route.path.as_ref()?;
        let wanted = Wanted {
            path,
            hosts: route.host.iter().map(HostPattern::covering).collect(),
            subprotocols: &route.subprotocols,
            is_decoded: false,
        };
        let decoded = path.with_slashes_decoded();
        let found = self.find(&wanted).or_else(|| {
            self.find(&Wanted {
                path: decoded.as_ref()?,
                is_decoded: true,
                ..wanted
            })
        });
        if found.is_none() {
            // What a covered route covers is covered as well, by the route that covers it.
            self.add(number, route, path);
        }
        found
    }

    fn add(&mut self, number: usize, route: &'r RouteSettings, path: &'r PathPattern) {
        let mut node = 0;
        for segment in path.segments() {
            let next = self.nodes.len() + 1;
            node = *self.nodes.entry((node, segment)).or_insert(next);
        }
        let place = self.places.entry((node, path.is_open())).or_default();
        let indexed = Indexed {
            path,
            hosts: route.host.iter().collect(),
            subprotocols: route.subprotocols.iter().map(String::as_str).collect(),
            refuses_slashes: route.encoded_slashes == EncodedSlashes::Refuse,
        };
        for host in some_or_any(indexed.hosts.iter().copied()) {
            place.by_host.entry(host).or_default().push(number);
        }
        for name in some_or_any(indexed.subprotocols.iter().copied()) {
            place.by_subprotocol.entry(name).or_default().push(number);
        }
        self.routes.insert(number, indexed);
    }

    fn find(&mut self, wanted: &Wanted<'_>) -> Option<usize> {
        let segments: Vec<_> = wanted.path.segments().collect();
        let mut first = None;
        let mut ahead = vec![(0, 0)];
        while let Some((node, depth)) = ahead.pop() {
            self.steps += 1;
            let next = segments.get(depth).copied();
            if next.is_some() || wanted.path.is_open() {
                self.find_at((node, true), wanted, &mut first);
            }
            if next.is_none() && !wanted.path.is_open() {
                self.find_at((node, false), wanted, &mut first);
            }
            let Some(segment) = next else {
                continue;
            };
            let mut covering = vec![segment];
            if segment.is_some_and(|literal| !literal.is_empty()) {
                covering.push(None);
            }
            let nodes = covering.into_iter();
            let nodes = nodes.filter_map(|segment| self.nodes.get(&(node, segment)));
            ahead.extend(nodes.map(|node| (*node, depth + 1)));
        }
        first
    }

    /// Looks at the routes of one path.
    fn find_at(&mut self, place: (usize, bool), wanted: &Wanted<'_>, first: &mut Option<usize>) {
        let Some(place) = self.places.get(&place) else {
            return;
        };
        for numbers in place.fewest(wanted) {
            for number in numbers {
                if first.is_some_and(|first| *number >= first) {
                    break;
                }
                self.steps += 1;
                if self.routes[number].covers(wanted) {
                    *first = Some(*number);
                    break;
                }
            }
        }
    }
}

impl<'r> Place<'r> {
    /// The fewest routes that include all that cover the wanted one. A route that covers it has a pattern
    /// for each of its hosts, and each of its subprotocols.
    fn fewest<'a>(&'a self, wanted: &'a Wanted<'_>) -> Vec<&'a [usize]>
    where
        'r: 'a,
    {
        let any_host = wanted.hosts.is_empty().then_some(&[][..]);
        let hosts = wanted.hosts.iter().map(Vec::as_slice).chain(any_host);
        let any_offer = wanted.subprotocols.is_empty().then_some(None);
        let names = wanted.subprotocols.iter().map(Some).chain(any_offer);
        let by_host = hosts.map(|patterns| self.of_host(patterns));
        let by_name = names.map(|name| self.of_offer(name.map(String::as_str)));
        let count = |numbers: &Vec<&[usize]>| numbers.iter().map(|some| some.len()).sum::<usize>();
        let choices = by_host.chain(by_name);
        choices.min_by_key(count).unwrap_or_default()
    }

    fn of_host<'a>(&'a self, patterns: &'a [HostPattern]) -> Vec<&'a [usize]> {
        let patterns = patterns.iter().map(Some).chain([None]);
        let numbers = patterns.filter_map(|pattern| self.by_host.get(&pattern));
        numbers.map(Vec::as_slice).collect()
    }

    fn of_offer<'a>(&'a self, name: Option<&'a str>) -> Vec<&'a [usize]> {
        let names = name.into_iter().map(Some).chain([None]);
        let numbers = names.filter_map(|name| self.by_subprotocol.get(&name));
        numbers.map(Vec::as_slice).collect()
    }
}

impl Indexed<'_> {
    fn covers(&self, wanted: &Wanted<'_>) -> bool {
        (self.refuses_slashes || !wanted.is_decoded)
            && self.path.covers(wanted.path)
            && self.hosts_cover(&wanted.hosts)
            && self.subprotocols_cover(wanted.subprotocols)
    }

    /// No host is every host.
    fn hosts_cover(&self, wanted: &[Vec<HostPattern>]) -> bool {
        let has = |pattern| self.hosts.contains(pattern);
        self.hosts.is_empty()
            || (!wanted.is_empty() && wanted.iter().all(|patterns| patterns.iter().any(has)))
    }

    /// An offer with one of `wanted` in it has to have one of these in it.
    fn subprotocols_cover(&self, wanted: &[String]) -> bool {
        let has = |name: &String| self.subprotocols.contains(name.as_str());
        self.subprotocols.is_empty() || (!wanted.is_empty() && wanted.iter().all(has))
    }
}

/// Each as `Some`; `None` where there is none.
fn some_or_any<T>(items: impl Iterator<Item = T>) -> impl Iterator<Item = Option<T>> {
    let mut items = items.peekable();
    let any = items.peek().is_none().then_some(None);
    items.map(Some).chain(any)
}
