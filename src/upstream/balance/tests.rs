use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn candidates<'a>(servers: &[(&'a str, u32, u32)]) -> Vec<Candidate<'a>> {
    let servers = servers.iter().enumerate();
    servers
        .map(|(index, &(name, weight, sessions))| Candidate {
            index,
            name,
            weight,
            sessions,
        })
        .collect()
}

/// Picks `count` times, each pick staying open, and tells how many each server got.
fn fill(balancer: &Balancer, candidates: &mut [Candidate<'_>], count: usize) -> Vec<u32> {
    for _ in 0..count {
        let index = balancer.pick(candidates, CLIENT).unwrap();
        candidates[index].sessions += 1;
    }
    candidates.iter().map(|server| server.sessions).collect()
}

#[test]
fn nobody_is_picked_out_of_nobody() {
    for balance in [
        Balance::LeastConnections,
        Balance::RoundRobin,
        Balance::RandomTwo,
        Balance::IpHash,
    ] {
        assert_eq!(Balancer::new(balance, 3).pick(&[], CLIENT), None);
    }
}

#[test]
fn round_robin_interleaves_by_weight() {
    let balancer = Balancer::new(Balance::RoundRobin, 3);
    let servers = candidates(&[("a", 5, 0), ("b", 1, 0), ("c", 1, 0)]);
    let picks = || -> String {
        let picks = (0..7).map(|_| servers[balancer.pick(&servers, CLIENT).unwrap()].name);
        picks.collect()
    };
    assert_eq!(picks(), "aabacaa");
    assert_eq!(picks(), "aabacaa");
}

#[test]
fn round_robin_passes_over_who_is_no_candidate() {
    let balancer = Balancer::new(Balance::RoundRobin, 3);
    let servers = candidates(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]);
    let without_b = [servers[0], servers[2]];
    let picks: Vec<_> = (0..4)
        .map(|_| balancer.pick(&without_b, CLIENT).unwrap())
        .collect();
    assert_eq!(picks, [0, 2, 0, 2]);
}

#[test]
fn least_connections_fills_a_cold_pool_by_weight() {
    let balancer = Balancer::new(Balance::LeastConnections, 3);
    let mut servers = candidates(&[("a", 1, 0), ("b", 2, 0), ("c", 1, 0)]);
    assert_eq!(fill(&balancer, &mut servers, 8), [2, 4, 2]);
}

#[test]
fn least_connections_goes_where_the_fewest_are_for_their_weight() {
    for (servers, expected) in [
        ([("a", 1, 3), ("b", 1, 2), ("c", 1, 4)], 1),
        ([("a", 1, 3), ("b", 1, 2), ("c", 4, 4)], 2),
        ([("a", u32::MAX, u32::MAX - 1), ("b", 1, 1), ("c", 1, 1)], 0),
    ] {
        let balancer = Balancer::new(Balance::LeastConnections, 3);
        let picked = balancer.pick(&candidates(&servers), CLIENT);
        assert_eq!(picked, Some(expected), "{servers:?}");
    }
}

#[test]
fn least_connections_takes_turns_among_equals() {
    let balancer = Balancer::new(Balance::LeastConnections, 3);
    let servers = candidates(&[("a", 1, 0), ("b", 1, 9), ("c", 1, 0)]);
    let picks: Vec<_> = (0..4)
        .map(|_| balancer.pick(&servers, CLIENT).unwrap())
        .collect();
    assert_eq!(picks, [0, 2, 0, 2]);
}

#[test]
fn of_two_the_less_loaded_is_taken() {
    let mut rng = StdRng::seed_from_u64(1);
    let servers = candidates(&[("a", 1, 7), ("b", 1, 6)]);
    for _ in 0..100 {
        assert_eq!(better_of_two(&servers, &mut rng), Some(1));
    }
    assert_eq!(better_of_two(&servers[..1], &mut rng), Some(0));
}

#[test]
fn random_two_never_takes_the_most_loaded_of_three() {
    let mut rng = StdRng::seed_from_u64(1);
    let servers = candidates(&[("a", 1, 1), ("b", 1, 9), ("c", 1, 2)]);
    let mut picks = [0; 3];
    for _ in 0..3000 {
        picks[better_of_two(&servers, &mut rng).unwrap()] += 1;
    }
    // "a" is among the two in two of three draws.
    assert!((1900..2100).contains(&picks[0]), "{picks:?}");
    assert_eq!(picks[1], 0);
}

#[test]
fn a_server_is_drawn_as_often_as_it_is_heavy() {
    let mut rng = StdRng::seed_from_u64(1);
    let servers = candidates(&[("a", 1, 0), ("b", 3, 0)]);
    let mut drawn = [0; 2];
    for _ in 0..4000 {
        drawn[draw(&servers, None, &mut rng).unwrap().index] += 1;
    }
    assert!((900..1100).contains(&drawn[0]), "{drawn:?}");
}

#[test]
fn ip_hash_gives_each_server_its_weight() {
    let balancer = Balancer::new(Balance::IpHash, 3);
    let servers = candidates(&[("ws://a:1", 1, 0), ("ws://b:1", 2, 0), ("ws://c:1", 1, 0)]);
    let mut clients = [0; 3];
    for client in 0..8000 {
        let client = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + client));
        clients[balancer.pick(&servers, client).unwrap()] += 1;
    }
    assert!((1850..2150).contains(&clients[0]), "{clients:?}");
    assert!((3800..4200).contains(&clients[1]), "{clients:?}");
    assert!((1850..2150).contains(&clients[2]), "{clients:?}");
}

#[test]
fn ip_hash_knows_a_mapped_address_by_its_ipv4_form() {
    let v4 = Ipv4Addr::new(192, 0, 2, 7);
    let mapped = hash("a", IpAddr::V6(v4.to_ipv6_mapped()));
    assert_eq!(mapped, hash("a", IpAddr::V4(v4)));
    assert_ne!(mapped, hash("a", IpAddr::V6(Ipv6Addr::LOCALHOST)));
}

#[test]
fn ip_hash_is_the_same_in_every_release() {
    // Written down once: where it changes, every client changes its server.
    assert_eq!(hash("ws://127.0.0.1:9001", CLIENT), 0x082b_9632_d520_fe4c);
}

proptest! {
    #[test]
    fn ip_hash_moves_only_the_clients_of_a_server_that_goes(
        weights in proptest::collection::vec(1u32..10, 2..8),
        gone in any::<proptest::sample::Index>(),
        address in any::<u128>(),
    ) {
        let client = IpAddr::V6(Ipv6Addr::from_bits(address));
        let names: Vec<_> = (0..weights.len()).map(|i| format!("ws://10.0.0.{i}:80")).collect();
        let servers: Vec<_> = names.iter().zip(&weights).map(|(n, w)| (n.as_str(), *w, 0)).collect();
        let all = candidates(&servers);
        let before = highest_score(&all, client).unwrap();
        let gone = gone.index(all.len());
        let left: Vec<_> = all.iter().copied().filter(|server| server.index != gone).collect();
        let after = highest_score(&left, client).unwrap();
        if before == gone {
            prop_assert_ne!(after, gone);
        } else {
            prop_assert_eq!(after, before);
        }
    }
}

#[test]
fn a_reload_goes_on_where_the_turns_stopped() {
    let two = candidates(&[("a", 1, 0), ("b", 1, 0)]);
    for balance in [Balance::RoundRobin, Balance::LeastConnections] {
        let balancer = Balancer::new(balance, 2);
        assert_eq!(balancer.pick(&two, CLIENT), Some(0));
        // The same two the other way round, and a third.
        let renewed = balancer.renewed(balance, &[Some(1), Some(0), None]);
        let three = candidates(&[("b", 1, 0), ("a", 1, 0), ("c", 1, 0)]);
        let picks: Vec<_> = (0..3)
            .map(|_| renewed.pick(&three, CLIENT).unwrap())
            .collect();
        assert_eq!(picks, [0, 2, 1], "{balance:?}");
        let other = balancer.renewed(Balance::IpHash, &[Some(0), Some(1)]);
        assert!(matches!(other, Balancer::IpHash));
    }
}

#[test]
fn reloads_that_replace_servers_leave_nobody_behind() {
    let mut balancer = Balancer::new(Balance::RoundRobin, 3);
    let three = candidates(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]);
    for _ in 0..1000 {
        // One turn, and the one who was paid for it is replaced.
        let paid = balancer.pick(&three, CLIENT).unwrap();
        let origins: Vec<_> = (0..3)
            .map(|index| Some(index).filter(|index| *index != paid))
            .collect();
        balancer = balancer.renewed(Balance::RoundRobin, &origins);
    }
    let mut counts = [0; 3];
    for _ in 0..30 {
        counts[balancer.pick(&three, CLIENT).unwrap()] += 1;
    }
    assert!(
        counts.iter().all(|count| (8..=12).contains(count)),
        "{counts:?}"
    );
}
