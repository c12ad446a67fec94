//! How much memory a batch of voucher codes takes: nothing that grows with it (R6.5).
//!
//! The only test of its process: it counts what the whole process allocates, client and server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::credit::v1::{CreateCampaignRequest, GenerateCodesRequest};
use florin_testbed::{Backend, TestDatabase};
use florin_tests::{acts::euros, florin::Florin};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Two statements' worth of codes, and ten times as many.
const FEW: i32 = 2000;
const MANY: i32 = 20_000;
/// A code in a list is a `String` of 19 bytes: its 24 bytes, and at least 19 elsewhere.
const BYTES_A_CODE: usize = 43;

/// How much was allocated at most while so many codes were generated and read, above what was there before.
async fn peak(florin: &Florin, campaign: &str, count: i32) -> usize {
    let request = GenerateCodesRequest { name: campaign.to_owned(), count, ..Default::default() };
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let mut codes = florin.operator.campaigns().generate_codes(request).await.unwrap().into_inner();
    let mut read = 0;
    while let Some(message) = codes.message().await.unwrap() {
        read += message.codes.len();
    }
    assert_eq!(i32::try_from(read), Ok(count));
    MEMORY.peak_usage().saturating_sub(before)
}

/// R6.5: 100 000 codes in one call are never all in memory, neither as they are put in force nor as they are streamed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_codes_take_no_more_memory() {
    for backend in Backend::ALL {
        let database = TestDatabase::create(backend).await;
        let florin = Florin::start(&database).await;
        let mut campaign = florin.campaign(1);
        campaign.budgets = vec![euros(1_000_000)];
        let request = CreateCampaignRequest {
            campaign: Some(campaign),
            allow_missed_settlement: true,
            request_id: String::new(),
        };
        let campaign = florin.operator.campaigns().create_campaign(request).await.unwrap().into_inner().name;
        // Connections, statements and buffers are there after the first.
        peak(&florin, &campaign, FEW).await;
        let (few, many) = (peak(&florin, &campaign, FEW).await, peak(&florin, &campaign, MANY).await);
        let collected = usize::try_from(MANY - FEW).unwrap() * BYTES_A_CODE;
        assert!(
            many < few + collected / 2,
            "{backend}: {MANY} codes take {many} bytes, {FEW} take {few}; in a list they would take {collected} more"
        );
        florin.stop().await;
    }
}
