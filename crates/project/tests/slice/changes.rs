//! What becomes of a resource: resized, switched to months, renamed; and what falls due in advance (R5.2, R5.3).

use florin_api::{
    money::Decimal,
    project::v1::{
        AddResourceRequest, GetCurrentUsageRequest, Project, RemoveResourceRequest, ResizeResourceRequest,
        Resource, SwitchToMonthlyRequest, UpdateResourceRequest, resource_service_server::ResourceService,
        usage_service_server::UsageService,
    },
};
use florin_platform::id::AccountId;
use florin_project::{AdvanceBilled, advance};
use florin_settlement::Quantity;
use florin_testbed::on_both_backends;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::setting::{House, at, by, project_id, reason};

fn decimal(text: &str) -> Option<Decimal> {
    (!text.is_empty()).then(|| Decimal { value: text.to_owned() })
}

/// A customer and what they do with resources.
struct Customer<'h> {
    house: &'h House,
    account: AccountId,
    project: Project,
}

impl<'h> Customer<'h> {
    async fn of(house: &'h House) -> Self {
        let (account, project) = house.funded("changes@example.com").await;
        Self { house, account, project }
    }

    async fn add(&self, plan: &str, size: &str) -> Resource {
        let resource = Resource { plan: format!("plans/{plan}"), size: decimal(size), ..Resource::default() };
        let parent = self.project.name.clone();
        let request =
            AddResourceRequest { parent, resource: Some(resource), ..AddResourceRequest::default() };
        self.house.resources().add_resource(by(self.account, request)).await.expect("added").into_inner()
    }

    async fn resize(&self, resource: &Resource, plan: &str, size: &str) -> Result<Resource, Status> {
        let plan = if plan.is_empty() { String::new() } else { format!("plans/{plan}") };
        let request = ResizeResourceRequest {
            name: resource.name.clone(),
            plan,
            size: decimal(size),
            ..Default::default()
        };
        Ok(self.house.resources().resize_resource(by(self.account, request)).await?.into_inner())
    }

    async fn switch(&self, resource: &Resource, plan: &str) -> Result<Resource, Status> {
        let plan = format!("plans/{plan}");
        let request = SwitchToMonthlyRequest { name: resource.name.clone(), plan, ..Default::default() };
        Ok(self.house.resources().switch_to_monthly(by(self.account, request)).await?.into_inner())
    }

    async fn remove(&self, resource: &Resource) {
        let request = RemoveResourceRequest { name: resource.name.clone(), ..Default::default() };
        self.house.resources().remove_resource(by(self.account, request)).await.expect("removed");
    }

    /// The lines of the month so far: plan, quantity, divisor.
    async fn lines(&self) -> Vec<(String, String, i32)> {
        let request = GetCurrentUsageRequest { parent: self.project.name.clone() };
        let usage = self.house.usage().get_current_usage(by(self.account, request)).await.expect("usage");
        let lines = usage.into_inner().lines.into_iter();
        lines
            .map(|line| {
                let plan = line.plan.trim_start_matches("plans/").to_owned();
                (plan, line.quantity.unwrap_or_default().value, line.quantity_divisor)
            })
            .collect()
    }

    /// What fell due in advance and is on no invoice: quantity, divisor, net.
    async fn due(&self) -> Vec<(String, u32, String)> {
        let project = (self.account, project_id(&self.project));
        let until = at("2030-01-01T00:00:00Z");
        let due = advance::unbilled(self.house.platform.db.reader(), &[project], until).await.expect("read");
        due.into_iter()
            .map(|line| (line.quantity.to_string(), line.divisor.get(), line.net.to_decimal().to_string()))
            .collect()
    }
}

fn line(plan: &str, quantity: &str, divisor: i32) -> (String, String, i32) {
    (plan.to_owned(), quantity.to_owned(), divisor)
}

fn due(quantity: &str, divisor: u32, net: &str) -> (String, u32, String) {
    (quantity.to_owned(), divisor, net.to_owned())
}

on_both_backends! {
    /// R5.2: at once, the hour of the change once, at the dearer.
    async fn a_resource_is_resized_at_once(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = Customer::of(&house).await;
        house.now_is("2027-03-04T09:00:00Z").await;
        let (web, disk) = (ada.add("b3-8", "").await, ada.add("volume-classic", "100").await);
        house.now_is("2027-03-04T10:30:00Z").await;
        let larger = ada.resize(&web, "b3-16", "").await.expect("larger");
        assert_eq!((larger.plan.as_str(), larger.etag == web.etag), ("plans/b3-16", false));
        let grown = ada.resize(&disk, "", "250").await.expect("grown");
        assert_eq!((grown.plan.as_str(), grown.size), ("plans/volume-classic", decimal("250")));
        house.now_is("2027-03-04T11:30:00Z").await;
        ada.resize(&disk, "volume-high-speed", "10").await.expect("both at once");
        house.now_is("2027-03-04T11:59:00Z").await;
        assert_eq!(
            ada.lines().await,
            [line("b3-16", "2", 1), line("b3-8", "1", 1), line("volume-classic", "600", 1)],
            "9 to 10 at 100 GiB, 10 to 12 at 250: the smaller fast volume was cheaper in its first hour"
        );
        ada.remove(&web).await;
        assert_eq!(reason(&ada.resize(&web, "b3-8", "").await.expect_err("gone")), "RESOURCE_REMOVED");
    }

    async fn a_resize_that_is_not_allowed_says_why(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = Customer::of(&house).await;
        let (web, disk) = (ada.add("b3-8", "").await, ada.add("volume-classic", "100").await);
        let (month, bucket) = (ada.add("b3-8.monthly", "").await, ada.add("object-standard", "").await);
        let site = ada.add("licence-panel", "2").await;
        for (resource, plan, size) in [
            (&web, "volume-classic", ""), // another family
            (&disk, "floating-ip", ""),
            (&web, "b3-16.monthly", ""), // a switch, not a resize
            (&month, "b3-8", ""),
            (&bucket, "object-archive", ""),
            (&site, "support-business", ""),
        ] {
            let refused = ada.resize(resource, plan, size).await.expect_err(plan);
            assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "RESIZE_NOT_ALLOWED"), "{plan}");
        }
        for (resource, plan, size) in [(&web, "", ""), (&web, "", "2"), (&web, "b3-8", ""), (&disk, "", "100"), (&disk, "", "0")] {
            let refused = ada.resize(resource, plan, size).await.expect_err("nothing to do, or no size");
            assert_eq!(refused.code(), Code::InvalidArgument, "{plan} {size}");
        }
        assert_eq!(reason(&ada.resize(&web, "b9-9", "").await.expect_err("unknown")), "PLAN_UNKNOWN");
        house.execute("UPDATE plan SET retired_at = '2027-03-01T00:00:00+00:00' WHERE code IN ('c3-8', 'volume-classic')", []).await.expect("retired");
        assert_eq!(reason(&ada.resize(&web, "c3-8", "").await.expect_err("retired")), "PLAN_RETIRED");
        ada.resize(&disk, "", "120").await.expect("who stays under a retired plan may grow");
        let stale = ResizeResourceRequest { name: disk.name.clone(), size: decimal("9"), etag: disk.etag.clone(), ..Default::default() };
        let stale = house.resources().resize_resource(by(ada.account, stale)).await.expect_err("changed since");
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let stranger = house.account("FR", "stranger@example.com").await;
        let foreign = ResizeResourceRequest { name: disk.name.clone(), size: decimal("9"), ..Default::default() };
        let foreign = house.resources().resize_resource(by(stranger, foreign)).await.expect_err("a stranger");
        assert_eq!(reason(&foreign), "NOT_FOUND");
    }

    /// R5.3: at any time, never back; the hour stays hourly, the month counts from that day.
    async fn hours_become_months_and_never_hours_again(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = Customer::of(&house).await;
        house.now_is("2027-03-14T09:00:00Z").await;
        let (web, licence) = (ada.add("b3-8", "").await, ada.add("licence-windows", "4").await);
        house.now_is("2027-03-14T10:20:00Z").await;
        let switched = ada.switch(&web, "b3-8.monthly").await.expect("switched");
        assert_eq!(switched.plan, "plans/b3-8.monthly");
        ada.switch(&licence, "licence-windows.monthly").await.expect("switched with its size");
        for (resource, plan) in [(&web, "b3-8"), (&web, "b3-8.monthly"), (&licence, "b3-8.monthly")] {
            let refused = ada.switch(resource, plan).await.expect_err(plan);
            assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "SWITCH_NOT_ALLOWED"), "{plan}");
        }
        let other = ada.add("b3-8", "").await;
        for plan in ["licence-sql", "b3-16", "support-business"] {
            assert_eq!(reason(&ada.switch(&other, plan).await.expect_err(plan)), "SWITCH_NOT_ALLOWED");
        }
        ada.remove(&other).await;
        house.now_is("2027-03-20T00:00:00Z").await;
        assert_eq!(
            ada.lines().await,
            [
                line("b3-8", "2", 1),
                line("b3-8.monthly", "18", 31),
                line("licence-windows", "8", 1),
                line("licence-windows.monthly", "72", 31),
                line("b3-8", "1", 1),
            ]
        );
    }

    /// R5.2: a line carries the labels its resource has when the line is made.
    async fn a_resource_is_renamed_and_labelled(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = Customer::of(&house).await;
        let web = ada.add("b3-8", "").await;
        let update = |paths: &[&str], name: &str| UpdateResourceRequest {
            resource: Some(Resource {
                display_name: name.to_owned(),
                labels: [("team".to_owned(), "red".to_owned())].into(),
                ..web.clone()
            }),
            update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
            ..UpdateResourceRequest::default()
        };
        let rpc = house.resources();
        let labelled = rpc.update_resource(by(ada.account, update(&["labels"], "not this"))).await.expect("labelled").into_inner();
        assert_eq!((labelled.display_name.as_str(), labelled.labels["team"].as_str()), ("", "red"));
        let stale = rpc.update_resource(by(ada.account, update(&["display_name"], "web"))).await.expect_err("changed since");
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let fixed = rpc.update_resource(by(ada.account, update(&["plan"], ""))).await.expect_err("by resizing only");
        assert_eq!(fixed.code(), Code::InvalidArgument);
        let long = rpc.update_resource(by(ada.account, update(&["display_name"], &"x".repeat(256)))).await.expect_err("long");
        assert_eq!(long.code(), Code::InvalidArgument);
        let request = GetCurrentUsageRequest { parent: ada.project.name.clone() };
        let usage = house.usage().get_current_usage(by(ada.account, request)).await.expect("usage").into_inner();
        assert_eq!(usage.lines[0].labels["team"], "red");
    }

    /// R5.3: noted when it falls due, with the price of that instant; growth only once.
    async fn what_is_charged_in_advance_falls_due_as_it_is_added_switched_and_grown(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = Customer::of(&house).await;
        house.now_is("2027-03-15T12:00:00Z").await;
        let metal = ada.add("metal-s", "").await;
        let sites = ada.add("licence-panel", "2").await;
        assert_eq!(ada.due().await, [due("17", 31, "65.80"), due("34", 31, "2.63")]);
        assert_eq!(ada.lines().await, [], "not a second time in arrears");
        house.now_is("2027-03-22T08:00:00Z").await;
        ada.resize(&sites, "", "5").await.expect("grown");
        ada.resize(&sites, "", "1").await.expect("shrunk");
        ada.resize(&sites, "", "5").await.expect("grown back");
        ada.remove(&metal).await;
        assert_eq!(ada.due().await, [due("17", 31, "65.80"), due("34", 31, "2.63"), due("30", 31, "2.32")]);
        let web = ada.add("b3-8", "").await;
        ada.switch(&web, "metal-s").await.expect("from hours to a month in advance");
        assert_eq!(ada.due().await.last(), Some(&due("10", 31, "38.71")));
        assert_eq!(ada.lines().await, [line("b3-8", "1", 1)]);

        // Billed once, by one invoice; history for the database.
        let project = (ada.account, project_id(&ada.project));
        let (invoice, now) = (uuid::Uuid::from_u128(7), at("2027-03-22T08:00:00Z"));
        let bill = |until| {
            let billed = AdvanceBilled { account: project.0, project: project.1, until, invoice };
            house.platform.db.write(move |tx| async move { advance::bill(&tx, now, &[billed]).await })
        };
        assert_eq!(bill(at("2027-03-15T12:30:00Z")).await.expect("billed"), 2);
        assert_eq!(bill(at("2027-03-15T12:30:00Z")).await.expect("billed"), 0);
        assert_eq!(ada.due().await.len(), 2);
        for text in [
            "UPDATE advance_charge SET billed_at = NULL, invoice_id = NULL WHERE billed_at IS NOT NULL",
            "UPDATE advance_charge SET net = 1",
            "DELETE FROM advance_charge",
        ] {
            assert!(house.execute(text, []).await.expect_err(text).to_string().contains("it is history"), "{text}");
        }
        // On the 1st, with the month before: what is there then, in the size it has.
        house.now_is("2027-04-01T06:00:00Z").await;
        let march = florin_settlement::Month::parse("2027-03").expect("a month").period();
        let lines = florin_project::usage::of_projects(house.platform.db.reader(), &[project], march, at("2027-04-01T06:00:00Z")).await;
        let renewed: Vec<_> = lines
            .expect("rated")
            .into_iter()
            .filter(|line| line.period.from() == at("2027-04-01T00:00:00Z"))
            .map(|line| (line.plan, line.quantity))
            .collect();
        assert_eq!(renewed, [("licence-panel".to_owned(), Quantity::whole(5)), ("metal-s".to_owned(), Quantity::whole(1))]);
    }

    /// For runways: what runs, at the prices the account has.
    async fn what_runs_burns_by_the_hour_until_it_is_removed(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = Customer::of(&house).await;
        let project = (ada.account, project_id(&ada.project));
        let burn = |text| {
            let house = &house;
            async move {
                let burns = florin_project::burn::of_projects(house.platform.db.reader(), &[project], at(text)).await;
                burns.expect("priced").get(&project).map(|burn| burn.for_hours(1000).expect("fits").to_decimal().to_string())
            }
        };
        assert_eq!(burn("2027-03-01T09:00:00Z").await, None);
        let web = ada.add("b3-8", "").await;
        ada.add("volume-classic", "250").await;
        assert_eq!(burn("2027-03-01T09:00:00Z").await.as_deref(), Some("124.89"));
        house.now_is("2027-03-02T09:00:00Z").await;
        ada.remove(&web).await;
        assert_eq!(burn("2027-03-02T09:30:00Z").await.as_deref(), Some("13.89"));
        let code = florin_project::PlanCode::parse("b3-8").expect("a code");
        let cost = florin_project::burn::of_starting(
            house.platform.db.reader(),
            (ada.account, florin_settlement::Currency::EUR),
            &code,
            Quantity::whole(1),
            at("2027-03-02T09:00:00Z"),
        );
        assert_eq!(cost.await.expect("priced").per_month.to_decimal().to_string(), "79.92");
    }
}
