//! What the log says of the certificates that are shown to clients.

use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};

use crate::Handle;
use crate::config::{Config, ListenAddress};
use crate::tls::CertificateFacts;

/// A certificate with less time left is one to look after: whatever renews it should have done so.
const SOON: Duration = Duration::from_secs(14 * DAY.as_secs());

/// A certificate of a few days or weeks is renewed when a third or half of its lifetime is left, and is looked after
/// when less than this part is.
const PART: u32 = 4;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Logs the certificates that are shown from now on and were not `before`, and those that expire soon.
pub(super) fn log_new(before: &Config, now: &Config) {
    for (listener, certificate) in now.certificates() {
        let mut earlier = before.certificates();
        if earlier.any(|(of, earlier)| of == listener && earlier == certificate) {
            continue;
        }
        tracing::info!(
            reason = "certificate_shown",
            %listener,
            file = %certificate.file,
            names = certificate.names.join(", "),
            serial = certificate.serial,
            expires = certificate.expires(),
            "showing this certificate from now on"
        );
    }
    // Those that have expired are among the warnings of the settings.
    for (listener, certificate, days) in expiring(now, SystemTime::now()) {
        warn_of_expiring(listener, &certificate, days);
    }
}

/// Warnings for `wsgate check`: the log has lines of its own.
pub(super) fn check(config: &Config) -> Vec<String> {
    let expiring = expiring(config, SystemTime::now());
    let warnings = expiring.map(|(listener, certificate, days)| {
        let (file, expires) = (&certificate.file, certificate.expires());
        let days = match days {
            0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        format!("the certificate {file} of {listener} expires in {days}, at {expires}")
    });
    warnings.collect()
}

/// Warns once a day of the certificates that expire soon, or have expired.
pub(super) async fn remind_daily(handle: Handle) {
    every_day(|| remind(&handle.config(), SystemTime::now())).await;
}

fn remind(config: &Config, now: SystemTime) {
    for (listener, certificate, days) in expiring(config, now) {
        warn_of_expiring(listener, &certificate, days);
    }
    for (listener, certificate) in config.certificates() {
        if certificate.time_left(now).is_none() {
            tracing::warn!(
                reason = "certificate_expired",
                %listener,
                file = %certificate.file,
                names = certificate.names.join(", "),
                expires = certificate.expires(),
                "a certificate has expired: clients refuse it"
            );
        }
    }
}

fn warn_of_expiring(listener: &ListenAddress, certificate: &CertificateFacts, days: u64) {
    tracing::warn!(
        reason = "certificate_expires",
        %listener,
        file = %certificate.file,
        names = certificate.names.join(", "),
        expires = certificate.expires(),
        days_left = days,
        "a certificate expires soon"
    );
}

/// The certificates that expire soon, each with the whole days that are left.
fn expiring(
    config: &Config,
    now: SystemTime,
) -> impl Iterator<Item = (&ListenAddress, CertificateFacts, u64)> {
    let all = config.certificates();
    all.filter_map(move |(listener, certificate)| {
        let left = certificate.time_left(now)?;
        if left >= soon(&certificate) {
            return None;
        }
        Some((listener, certificate, left.as_secs() / DAY.as_secs()))
    })
}

/// What is left of a certificate that expires soon, at most.
fn soon(certificate: &CertificateFacts) -> Duration {
    let lifetime = (certificate.not_after).duration_since(certificate.not_before);
    SOON.min(lifetime.unwrap_or_default() / PART)
}

/// For the first time in a day.
async fn every_day(mut act: impl FnMut()) {
    let mut days = interval(DAY);
    // A machine that has slept for days needs one line.
    days.set_missed_tick_behavior(MissedTickBehavior::Delay);
    days.tick().await;
    loop {
        days.tick().await;
        act();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_certificate_expires_soon_when_its_renewal_is_overdue() {
        let hours = |hours: u32| SystemTime::UNIX_EPOCH + DAY / 24 * hours;
        // Most are renewed when a third of their lifetime is left, those of a few days when a half is.
        for (lifetime, expected) in [(6, 36), (45, 270), (56, 336), (90, 336), (3650, 336)] {
            let certificate = CertificateFacts {
                file: "a.pem".into(),
                names: Vec::new(),
                serial: String::new(),
                not_before: hours(0),
                not_after: hours(lifetime * 24),
            };
            assert_eq!(soon(&certificate), DAY / 24 * expected, "{lifetime}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reminder_comes_once_a_day_and_not_at_once() {
        let count = Cell::new(0);
        let days = every_day(|| count.set(count.get() + 1));
        let _never_ends = timeout(DAY * 3 + DAY / 2, days).await;
        assert_eq!(count.get(), 3);
    }
}
