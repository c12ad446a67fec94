//! Voucher codes (R6.5, R6.6, R6.12).

use florin_api::credit::v1::{
    Campaign, CheckVoucherRequest, DisableCampaignRequest, GenerateCodesRequest, GetCampaignReportRequest,
    GetCampaignRequest, ListRedemptionsRequest,
    campaign::{Audience, CodeStyle},
    campaign_service_server::CampaignService,
    voucher_service_server::VoucherService,
};
use florin_api::error::v1::ErrorReason;
use florin_credit::GateView;
use florin_platform::wire;
use florin_testbed::on_both_backends;
use futures::future::join_all;
use tonic::Response;

use crate::world::{FIRST, PENDING, World, euros, reason};

impl World {
    async fn code(&self, change: impl FnOnce(&mut Campaign)) -> String {
        let campaign = self.campaign(change).await.expect("a campaign");
        self.codes(&campaign, 1).await.expect("codes").remove(0)
    }

    async fn reload(&self, campaign: &Campaign) -> Campaign {
        let request = GetCampaignRequest { name: campaign.name.clone() };
        self.campaign_rpc().get_campaign(self.request(request)).await.expect("a campaign").into_inner()
    }

    async fn granted(&self) -> i64 {
        self.count("SELECT CAST(COALESCE(SUM(granted), 0) AS bigint) FROM campaign_offer", []).await
    }
}

on_both_backends! {
    async fn a_code_gives_a_lot_once_whatever_its_case_and_dashes(database: TestDatabase) {
        let world = World::new(&database).await;
        world.projects.set(world.account, world.project, PENDING);
        let code = world.code(|_| {}).await;
        let credit = world.redeem(&code.to_lowercase().replace('-', "")).await.expect("a lot");
        assert_eq!(credit.initial_amount, Some(euros(10)));
        assert_eq!(credit.description, "Summer");
        assert_eq!(credit.masked_code, format!("****-****-****-{}", &code[15..]));
        let expires = wire::instant(&credit.expire_time.expect("expires")).expect("an instant");
        let issued = wire::instant(&credit.issue_time.expect("issued")).expect("an instant");
        assert_eq!(expires, issued.plus_days(90));
        assert_eq!(world.projects.told(), ["funded"], "a pending project is funded by it");
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_ALREADY_USED");
        assert_eq!(world.credits(world.account).await.len(), 1);
        assert_eq!(world.granted().await, 1000);
        world.check_ledger().await;
        for statement in [
            "UPDATE voucher_code SET uses = 0",
            "UPDATE voucher_code SET use_limit = 2",
            "DELETE FROM voucher_code",
        ] {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
    }

    /// R6.6: every refusal has its own reason, and none of them writes anything.
    async fn every_refusal_has_its_own_reason(database: TestDatabase) {
        let world = World::new(&database).await;
        let later = wire::timestamp(world.now().await.plus_days(1));
        let other = wire::account_name(world.new_account("CORPORATION").await);
        assert_eq!(reason(world.redeem("7KQ2-M9XD-40RT-VB6P").await), "VOUCHER_UNKNOWN");
        let code = world.code(|campaign| campaign.redeem_start_time = Some(later)).await;
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_NOT_YET_VALID");
        let code = world.code(|campaign| campaign.countries = vec!["BE".into()]).await;
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_COUNTRY");
        let reserved = |campaign: &mut Campaign| {
            campaign.audience = Audience::Account.into();
            campaign.account = other;
        };
        assert_eq!(reason(world.redeem(&world.code(reserved).await).await), "VOUCHER_RESERVED");
        let code = world.code(|campaign| campaign.payment_method_required = true).await;
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_NEEDS_PAYMENT_METHOD");
        let dollars = |campaign: &mut Campaign| {
            for money in campaign.amounts.iter_mut().chain(&mut campaign.budgets) {
                money.currency_code = "USD".into();
            }
        };
        assert_eq!(reason(world.redeem(&world.code(dollars).await).await), "VOUCHER_WRONG_CURRENCY");
        let code = world.code(|campaign| campaign.audience = Audience::FirstProject.into()).await;
        world.projects.set(world.account, world.project, GateView { first: false, ..FIRST });
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_FIRST_PROJECT_ONLY");
        let short = |campaign: &mut Campaign| campaign.redeem_end_time = Some(later);
        let code = world.code(short).await;
        world.pass_days(2).await;
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_EXPIRED");
        assert_eq!(world.count("SELECT COUNT(*) FROM credit_lot", []).await, 0);
        assert_eq!(world.granted().await, 0);
    }

    async fn limits_groups_and_new_customers(database: TestDatabase) {
        let world = World::new(&database).await;
        let in_group = |campaign: &mut Campaign| campaign.exclusion_group = "welcome".into();
        let campaign = world.campaign(in_group).await.expect("a campaign");
        let codes = world.codes(&campaign, 2).await.expect("codes");
        world.redeem(&codes[0]).await.expect("a lot");
        assert_eq!(reason(world.redeem(&codes[1]).await), "VOUCHER_ACCOUNT_LIMIT_REACHED");
        assert_eq!(reason(world.redeem(&world.code(in_group).await).await), "VOUCHER_INCOMPATIBLE");
        let new_only = |campaign: &mut Campaign| campaign.audience = Audience::NewCustomers.into();
        world.redeem(&world.code(new_only).await).await.expect("it has paid nothing yet");
        let order = world.order(30).await.expect("an order");
        world.pay(&order, "card").await.expect("paid");
        assert_eq!(reason(world.redeem(&world.code(new_only).await).await), "VOUCHER_NEW_CUSTOMERS_ONLY");
        let limited = |campaign: &mut Campaign| campaign.use_limit = Some(1);
        let campaign = world.campaign(limited).await.expect("a campaign");
        let codes = world.codes(&campaign, 2).await.expect("codes");
        let other = world.new_account("CORPORATION").await;
        let project = world.new_project(other, FIRST).await;
        world.redeem_in(other, project, &codes[0]).await.expect("a lot");
        assert_eq!(reason(world.redeem(&codes[1]).await), "VOUCHER_USE_LIMIT_REACHED");
        world.check_ledger().await;
    }

    /// R6.6: too many wrong tries lock voucher entry for that account for one hour.
    async fn five_wrong_tries_lock_entry_for_an_hour_for_that_account_alone(database: TestDatabase) {
        let world = World::new(&database).await;
        let code = world.code(|_| {}).await;
        for _ in 0..4 {
            assert_eq!(reason(world.redeem("nonsense").await), "VOUCHER_UNKNOWN");
        }
        let request = CheckVoucherRequest {
            parent: wire::account_name(world.account),
            code: "more nonsense".into(),
            project: String::new(),
        };
        let checked = world.voucher_rpc().check_voucher(world.request(request)).await.expect("an answer").into_inner();
        assert_eq!((checked.redeemable, checked.refusal_reason()), (false, ErrorReason::VoucherUnknown));
        assert_eq!(reason(world.redeem(&code).await), "VOUCHER_ENTRY_LOCKED");
        let other = world.new_account("CORPORATION").await;
        let project = world.new_project(other, FIRST).await;
        world.redeem_in(other, project, &code).await.expect("another account is not locked");
        let code = world.code(|_| {}).await;
        world.pass_days(1).await;
        world.redeem(&code).await.expect("the hour is over");
    }

    /// A rehearsal takes nothing, and is no way around the count of wrong tries.
    async fn a_rehearsed_redemption_takes_nothing_and_still_counts_wrong_tries(database: TestDatabase) {
        let world = World::new(&database).await;
        let code = world.code(|_| {}).await;
        let rehearse = async |code: &str| {
            let request = florin_api::credit::v1::RedeemVoucherRequest {
                parent: florin_credit::project_name(world.account, world.project),
                code: code.to_owned(),
                validate_only: true,
                request_id: String::new(),
            };
            world.voucher_rpc().redeem_voucher(world.request(request)).await.map(Response::into_inner)
        };
        assert_eq!(rehearse(&code).await.expect("a lot").initial_amount, Some(euros(10)));
        assert_eq!(world.count("SELECT COUNT(*) FROM credit_lot", []).await, 0);
        for _ in 0..5 {
            assert_eq!(reason(rehearse("nonsense").await), "VOUCHER_UNKNOWN");
        }
        assert_eq!(reason(rehearse(&code).await), "VOUCHER_ENTRY_LOCKED");
    }

    async fn a_check_tells_what_a_code_gives_and_takes_nothing(database: TestDatabase) {
        let world = World::new(&database).await;
        let code = world.code(|campaign| campaign.audience = Audience::FirstProject.into()).await;
        let request = CheckVoucherRequest {
            parent: wire::account_name(world.account),
            code: code.clone(),
            project: String::new(),
        };
        let checked = world.voucher_rpc().check_voucher(world.request(request)).await.expect("an answer").into_inner();
        assert_eq!((checked.redeemable, checked.amount), (true, Some(euros(10))));
        world.redeem(&code).await.expect("nothing was taken");
    }

    /// R6.6: concurrent redemption of the last use gives exactly one lot.
    async fn fifty_clients_at_the_last_use_get_one_lot(database: TestDatabase) {
        let world = World::new(&database).await;
        let single = world.code(|_| {}).await;
        let last_of_shared = |campaign: &mut Campaign| {
            campaign.code_style = CodeStyle::Shared.into();
            campaign.use_limit = Some(1);
        };
        let shared = world.code(last_of_shared).await;
        let mut clients = Vec::new();
        for _ in 0..50 {
            let account = world.new_account("CORPORATION").await;
            clients.push((account, world.new_project(account, FIRST).await));
        }
        for (code, late) in [(&single, "VOUCHER_ALREADY_USED"), (&shared, "VOUCHER_USE_LIMIT_REACHED")] {
            let tries = clients.iter().map(|(account, project)| world.redeem_in(*account, *project, code));
            let (won, lost): (Vec<_>, Vec<_>) = join_all(tries).await.into_iter().partition(Result::is_ok);
            assert_eq!((won.len(), lost.len()), (1, 49));
            for refused in lost {
                assert_eq!(reason(refused), late);
            }
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM credit_lot", []).await, 2);
        assert_eq!(world.count("SELECT COUNT(*) FROM voucher_redemption", []).await, 2);
        assert_eq!(world.granted().await, 2000);
        world.check_ledger().await;
    }

    /// R6.12: what codes may still grant and what they granted never exceeds the budget.
    async fn a_budget_is_never_exceeded_by_codes_or_by_concurrent_redemptions(database: TestDatabase) {
        let world = World::new(&database).await;
        let small = |campaign: &mut Campaign| campaign.budgets = vec![euros(30)];
        let campaign = world.campaign(small).await.expect("a campaign");
        assert_eq!(reason(world.codes(&campaign, 4).await), "CAMPAIGN_BUDGET_EXCEEDED");
        assert_eq!(world.reload(&campaign).await.code_count, 0);
        assert_eq!(world.codes(&campaign, 3).await.expect("codes").len(), 3);
        assert_eq!(reason(world.codes(&campaign, 1).await), "CAMPAIGN_BUDGET_EXCEEDED");

        let shared = |campaign: &mut Campaign| {
            campaign.budgets = vec![euros(30)];
            campaign.code_style = CodeStyle::Shared.into();
        };
        let campaign = world.campaign(shared).await.expect("a campaign");
        let code = world.codes(&campaign, 1).await.expect("one code").remove(0);
        assert_eq!(reason(world.codes(&campaign, 1).await), "CAMPAIGN_CODE_EXISTS");
        let mut clients = Vec::new();
        for _ in 0..10 {
            let account = world.new_account("CORPORATION").await;
            clients.push((account, world.new_project(account, FIRST).await));
        }
        let tries = clients.iter().map(|(account, project)| world.redeem_in(*account, *project, &code));
        let won = join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 3);
        assert_eq!(world.reload(&campaign).await.use_count, 3);
        assert_eq!(world.granted().await, 3000);
        world.check_ledger().await;
    }

    async fn codes_are_all_different_stored_hashed_and_streamed_again_to_the_same_request(database: TestDatabase) {
        let world = World::new(&database).await;
        let rich = |campaign: &mut Campaign| campaign.budgets = vec![euros(1_000_000)];
        let campaign = world.campaign(rich).await.expect("a campaign");
        // In one call up to 100 000: with FLORIN_TEST_SCALE=20 it is that many.
        let count = (5000 * scale()).min(100_000);
        let wanted = usize::try_from(count).expect("a number");
        let request = GenerateCodesRequest { name: campaign.name.clone(), count, request_id: "batch".into() };
        let codes = world.generate(request.clone()).await.expect("codes");
        assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), wanted);
        assert_eq!(world.generate(request).await.expect("the same codes"), codes);
        assert_eq!(world.reload(&campaign).await.code_count, count);
        let stored = world.count("SELECT COUNT(*) FROM voucher_code WHERE length(digest) = 32", []).await;
        assert_eq!(stored, i64::from(count));
        assert_eq!(reason(world.codes(&campaign, 0).await), "INVALID_ARGUMENT_VIOLATIONS");
        assert_eq!(reason(world.codes(&campaign, 100_001).await), "INVALID_ARGUMENT_VIOLATIONS");
        world.redeem(&codes[wanted - 1]).await.expect("every code is in force");
    }

    /// R6.5: a disabled campaign gives nothing any more, and what was redeemed stays.
    async fn a_disabled_campaign_gives_nothing_and_frees_its_budget(database: TestDatabase) {
        let world = World::new(&database).await;
        let campaign = world.campaign(|_| {}).await.expect("a campaign");
        let codes = world.codes(&campaign, 3).await.expect("codes");
        world.redeem(&codes[0]).await.expect("a lot");
        let disable = async |etag: &str| {
            let request = DisableCampaignRequest { name: campaign.name.clone(), etag: etag.to_owned(), ..Default::default() };
            world.campaign_rpc().disable_campaign(world.request(request)).await.map(Response::into_inner)
        };
        assert_eq!(reason(disable(&campaign.etag).await), "ETAG_MISMATCH", "two codes were added since");
        let disabled = disable("").await.expect("disabled");
        assert!(disabled.disable_time.is_some());
        assert_eq!(disable("").await.expect("again").disable_time, disabled.disable_time);
        let other = world.new_account("CORPORATION").await;
        let project = world.new_project(other, FIRST).await;
        assert_eq!(reason(world.redeem_in(other, project, &codes[1]).await), "VOUCHER_DISABLED");
        assert_eq!(reason(world.codes(&campaign, 1).await), "CAMPAIGN_DISABLED");
        assert_eq!(world.credits(world.account).await[0].remaining_amount, Some(euros(10)));
        assert_eq!(world.count("SELECT CAST(SUM(reserved) AS bigint) FROM campaign_offer", []).await, 0);
        for statement in ["UPDATE campaign SET disabled_at = NULL", "UPDATE campaign SET use_count = use_count + 1"] {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
    }

    /// R6.12: issued, redeemed, burnt, lapsed, remaining liability; right whatever was given back.
    async fn a_report_tells_what_became_of_a_campaigns_codes(database: TestDatabase) {
        let world = &World::new(&database).await;
        let campaign = world.campaign(|campaign| campaign.per_account_limit = Some(9)).await.expect("a campaign");
        let codes = world.codes(&campaign, 5).await.expect("codes");
        let report = async || {
            let request = GetCampaignReportRequest { name: format!("{}/report", campaign.name) };
            let report = world.campaign_rpc().get_campaign_report(world.request(request)).await.expect("a report");
            let report = report.into_inner();
            let value = report.values[0].clone();
            let units = |money: Option<florin_api::google::r#type::Money>| money.expect("an amount").units;
            (report.issued_code_count, report.redemption_count, [
                units(value.redeemed_amount), units(value.burnt_amount), units(value.lapsed_amount),
                units(value.revoked_amount), units(value.remaining_amount), units(value.grantable_amount),
                units(value.liability_amount),
            ])
        };
        assert_eq!(report().await, (5, 0, [0, 0, 0, 0, 0, 50, 50]));
        world.redeem(&codes[0]).await.expect("a lot");
        world.redeem(&codes[1]).await.expect("a lot");
        assert_eq!(report().await, (5, 2, [20, 0, 0, 0, 20, 30, 50]));
        let at = world.now().await;
        let plan = world.plan(1200, at).await;
        world.debit(&[(world.account, "accounts/a/invoices/1".to_owned(), plan)]).await.expect("debited");
        assert_eq!(report().await, (5, 2, [20, 12, 0, 0, 8, 30, 38]));
        let credits = world.credits(world.account).await;
        let source = florin_credit::CreditId::parse(credits[0].name.rsplit('/').next().unwrap_or_default()).expect("an id");
        let call = &florin_platform::call::Call::by_job("test");
        let back = world.platform.db.write(|tx| async move {
            let at = world.platform.clock.now(&tx).await?;
            florin_account::lock(&tx, &[world.account]).await?;
            let account = florin_account::find(&tx, world.account).await?.expect("an account");
            let (amount, cause) = (crate::world::eur(500), florin_credit::ReturnCause::CreditNote);
            let back = florin_credit::lots::GiveBack { source, amount, cause, document: "accounts/a/creditNotes/1" };
            florin_credit::lots::give_back(&tx, at, call, &account, back).await
        });
        back.await.expect("given back");
        assert_eq!(report().await, (5, 2, [20, 7, 0, 0, 13, 30, 43]), "a credit note undoes what was burnt");
        // The lots expire; that is so at the instant, before any job has written it down.
        world.move_to(world.now().await.plus_days(90)).await;
        assert_eq!(report().await, (5, 2, [20, 7, 13, 0, 0, 0, 0]));
        world.pass_days(1).await;
        assert_eq!(report().await, (5, 2, [20, 7, 13, 0, 0, 0, 0]));
        let request = ListRedemptionsRequest { parent: campaign.name.clone(), page_size: 1, ..Default::default() };
        let page = world.campaign_rpc().list_redemptions(world.request(request.clone())).await.expect("a list").into_inner();
        assert_eq!(page.redemptions[0].credit, credits[0].name);
        let request = ListRedemptionsRequest { page_token: page.next_page_token, ..request };
        let page = world.campaign_rpc().list_redemptions(world.request(request)).await.expect("a list").into_inner();
        assert_eq!((page.redemptions[0].credit.as_str(), page.next_page_token.as_str()), (credits[1].name.as_str(), ""));
    }

    async fn a_campaign_that_could_miss_every_settlement_needs_an_explicit_override(database: TestDatabase) {
        let world = World::new(&database).await;
        let short = |campaign: &mut Campaign| {
            campaign.lot_lifetime = Some(florin_api::credit::v1::campaign::LotLifetime::LotLifetimeDays(20));
        };
        assert_eq!(reason(world.campaign(short).await), "CAMPAIGN_MISSES_SETTLEMENT");
        let wrong = |campaign: &mut Campaign| {
            campaign.display_name.clear();
            campaign.budgets.clear();
        };
        assert_eq!(reason(world.campaign(wrong).await), "INVALID_ARGUMENT_VIOLATIONS");
        let listed = world.campaign_rpc().list_campaigns(world.request(Default::default())).await;
        assert!(listed.map(Response::into_inner).expect("a list").campaigns.is_empty());
    }
}

/// How much longer than usual the tests may take.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is asked of the environment")]
fn scale() -> i32 {
    std::env::var("FLORIN_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}
