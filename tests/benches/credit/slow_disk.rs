//! What grouping is worth when every fsync takes a millisecond: this program again, with `tests/tools/slow-fsync.c`
//! preloaded, under a PostgreSQL of its own whose commits wait for the disk.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use florin_api::credit::v1::RedeemVoucherRequest;
use florin_testbed::{
    Backend,
    cluster::Disk,
    programs::Source,
    run::{Demand, Run},
};

use crate::{
    CLIENTS, calls,
    debits::{BATCH, by_ourselves, funded},
    number, on_the_wire, redeemed,
    stage::Stage,
};

/// Says, in its environment, that this process has the shim.
const SLOW: &str = "FLORIN_TEST_BENCH_SLOW_DISK";

/// Whether this process is the one on the slow disk.
pub(crate) fn is_slow() -> bool {
    std::env::var_os(SLOW).is_some()
}

/// Compiles the shim, starts a PostgreSQL under it, and this program on that.
pub(crate) async fn begin() {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL runs as another user where this runs as root.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(shim) = compiled(folder.path()) else {
        println!("\na slow disk: not measured, there is no C compiler");
        return;
    };
    let command = vec![
        "env".into(),
        format!("LD_PRELOAD={}", shim.display()).into(),
        format!("{SLOW}=1").into(),
        std::env::current_exe().unwrap().into_os_string(),
        "--bench".into(),
    ];
    let run = Run { source: Source::Any, demand: Demand::None, disk: Disk::Through(shim), command };
    let report = run.perform(|_| {}).await.unwrap();
    assert_eq!(report.code(), 0, "{report}");
}

fn compiled(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/slow-fsync.c");
    let shim = folder.join("slow-fsync.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&shim).arg(source).arg("-ldl");
    cc.status().ok()?.success().then_some(shim)
}

/// The same transactions one by one and grouped.
pub(crate) async fn measure() {
    for backend in Backend::ALL {
        let count = number("FLORIN_TEST_BENCH_SLOW_CALLS", 500).min(calls());
        let stage = Stage::set(backend, BATCH.max(count), count).await;
        println!("\n{backend}: a millisecond an fsync, {count} calls by {CLIENTS} clients");
        let per_second = |time: std::time::Duration, count: usize| count as f64 / time.as_secs_f64();

        let redeem = |n: usize, code: &str| {
            let account = stage.accounts[n];
            let (parent, code) = (stage.project(account), code.to_owned());
            (account, RedeemVoucherRequest { parent, code, ..Default::default() })
        };
        let own: Vec<_> = (0..count).map(|n| redeem(n, &stage.codes[n])).collect();
        let own = on_the_wire(&stage.database, &own, &redeemed).await;
        println!("  redeem, a code each: {:.0} a second", per_second(own, count));
        let shared: Vec<_> = (0..count).map(|n| redeem(n, &stage.shared)).collect();
        let shared = on_the_wire(&stage.database, &shared, &redeemed).await;
        println!("  redeem, one code for all: {:.0} a second", per_second(shared, count));

        let funded = funded(&stage).await;
        let debits = stage.accounts.iter().enumerate();
        let debits: Vec<_> =
            debits.map(|(n, account)| (*account, format!("accounts/bench/invoices/{n}"))).collect();
        let singly: Vec<_> = debits[..count].iter().map(|debit| vec![debit.clone()]).collect();
        let singly = per_second(by_ourselves(&funded, &singly).await, count);
        let all = debits.len();
        let grouped = per_second(by_ourselves(&funded, &[debits]).await, all);
        println!(
            "  debit: {:.1} times as many {all} a transaction as one each ({grouped:.0} against {singly:.0} a second)",
            grouped / singly
        );
    }
}
