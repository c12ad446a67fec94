//! What the dunning does to projects: all of an account, many accounts at once, each step once (R9.2).

use std::time::Duration;

use florin_api::project::v1::{
    ConfirmProjectDeletionRequest, GetProjectRequest, Project, RequestProjectDeletionRequest,
    project::{DeletionCause, State, SuspensionCause},
    project_service_server::ProjectService,
};
use florin_platform::{call::Call, id::AccountId};
use florin_project::Moved;
use florin_testbed::on_both_backends;

use florin_settlement::Instant;

use crate::setting::{House, by, initial_credit, project_id, reason};

fn instant(time: Option<prost_types::Timestamp>) -> Instant {
    florin_platform::wire::instant(&time.expect("a time")).expect("in range")
}

impl House {
    async fn get(&self, account: AccountId, project: &Project) -> Project {
        let request = GetProjectRequest { name: project.name.clone() };
        self.projects().get_project(by(account, request)).await.expect("the project").into_inner()
    }

    async fn suspend(&self, accounts: &[AccountId]) -> usize {
        let call = &Call::by_job("dunning");
        let done = self.platform.db.write(|tx| async move {
            florin_account::lock(&tx, accounts).await?;
            let now = self.platform.clock.now(&tx).await?;
            florin_project::suspend_all_of(&tx, now, call, accounts).await
        });
        done.await.expect("suspended").len()
    }

    async fn resume(&self, accounts: &[AccountId]) -> usize {
        let call = &Call::by_job("dunning");
        let done = self.platform.db.write(|tx| async move {
            florin_account::lock(&tx, accounts).await?;
            let now = self.platform.clock.now(&tx).await?;
            florin_project::resume_all_of(&tx, now, call, accounts).await
        });
        done.await.expect("resumed").len()
    }

    async fn delete(&self, accounts: &[AccountId]) -> usize {
        let call = &Call::by_job("dunning");
        let done = self.platform.db.write(|tx| async move {
            florin_account::lock(&tx, accounts).await?;
            let now = self.platform.clock.now(&tx).await?;
            florin_project::begin_dunning_deletion(&tx, now, call, accounts).await
        });
        done.await.expect("deletion begun").len()
    }

    async fn finish(&self, account: AccountId, project: &Project) -> Option<Moved> {
        let call = &Call::by_job("final");
        let id = project_id(project);
        let done = self.platform.db.write(|tx| async move {
            florin_account::lock(&tx, &[account]).await?;
            let now = self.platform.clock.now(&tx).await?;
            florin_project::finish_deletion(&tx, now, call, account, id).await
        });
        done.await.expect("no failure")
    }
}

on_both_backends! {
    /// R9.2, R4.3: many accounts in one go; said again, nothing changes; each notice says what is charged.
    async fn the_dunning_suspends_every_project_of_many_accounts_once(db: TestDatabase) {
        let house = &House::open(db).await;
        let (ada, first) = house.funded("ada@example.com").await;
        let (ben, bens) = house.funded("ben@example.com").await;
        let (eve, eves) = house.funded("eve@example.com").await;
        let second = house.create(ada, "Second", None).await.expect("created");
        let notices = house.count("notice").await;

        assert_eq!(house.suspend(&[ada, ben]).await, 3);
        assert_eq!(house.suspend(&[ada, ben]).await, 0);
        for (account, project) in [(ada, &first), (ada, &second), (ben, &bens)] {
            let project = house.get(account, project).await;
            assert_eq!(project.state(), State::Suspended);
            assert_eq!(project.suspend_time, project.update_time);
            let causes: Vec<_> = project.suspensions.iter().map(|suspension| suspension.cause()).collect();
            assert_eq!(causes, [SuspensionCause::Debt]);
        }
        assert_eq!(house.get(eve, &eves).await.state(), State::Active);
        assert_eq!(house.count("notice").await, notices + 3);
        let said = "notice WHERE kind = 'project.suspended' AND body LIKE '%are charged while they exist%'";
        assert_eq!(house.count(said).await, 3);

        assert_eq!(house.resume(&[ada, ben, eve]).await, 3);
        assert_eq!(house.resume(&[ada, ben, eve]).await, 0);
        assert_eq!(house.get(ada, &second).await.state(), State::Active);
        assert_eq!(house.count("notice WHERE kind = 'project.resumed'").await, 3);
        assert_eq!(house.count("event WHERE kind = 'florin.event.v1.ProjectResumed'").await, 3);
    }

    /// R4.6, R9.2: metering stops at once, usage from before has its grace, and each step happens once.
    async fn the_dunning_deletes_in_spite_of_the_debt_and_the_end_waits_for_the_grace(db: TestDatabase) {
        let house = &House::open(db).await;
        house.execute("INSERT INTO project_policy (issuer, deletion_grace_seconds) VALUES ('fr', 7200)", [])
            .await.expect("a policy");
        let (ada, project) = house.funded("ada@example.com").await;
        let poor = house.account("FR", "poor@example.com").await;
        house.create(poor, "Waiting", initial_credit()).await.expect("created");
        house.add(ada, &project, "plans/b3-8").await.expect("added");
        house.suspend(&[ada]).await;
        house.now_is("2027-03-02T10:30:00Z").await;
        assert_eq!(house.delete(&[ada, poor]).await, 1);
        assert_eq!(house.delete(&[ada, poor]).await, 0);

        let deleting = house.get(ada, &project).await;
        assert_eq!((deleting.state(), deleting.deletion_cause()), (State::Deleting, DeletionCause::Debt));
        assert!(deleting.suspensions.is_empty() && deleting.suspend_time.is_none());
        assert_eq!(house.count("resource_interval WHERE ended_at IS NULL").await, 0);
        assert_eq!(house.count("resource WHERE removed_at IS NULL").await, 0);
        assert_eq!(house.count("event WHERE kind = 'florin.event.v1.ResourceRemoved'").await, 1);

        let reader = house.platform.db.reader();
        let (stopped, ends) = (instant(deleting.metering_stop_time), instant(deleting.grace_end_time));
        assert_eq!(ends, stopped.plus_hours(2));
        assert_eq!(florin_project::next_final(reader).await.expect("read"), Some(ends));
        let early = florin_project::due_for_final(reader, ends.minus(Duration::from_micros(1)), 9).await;
        assert!(early.expect("read").is_empty());
        assert!(matches!(house.finish(ada, &project).await, Some(Moved::Impossible(_))));
        house.now_is("2027-03-02T12:31:00Z").await;
        let due = florin_project::due_for_final(reader, ends, 9).await.expect("read");
        assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [project_id(&project)]);
        assert!(matches!(house.finish(ada, &project).await, Some(Moved::Now(_))));
        assert!(matches!(house.finish(ada, &project).await, Some(Moved::Before(_))));
        let deleted = house.get(ada, &project).await;
        assert_eq!((deleted.state(), deleted.delete_time), (State::Deleted, deleted.update_time));
        assert!(florin_project::due_for_final(reader, ends, 9).await.expect("read").is_empty());
        assert_eq!(house.count("notice WHERE kind IN ('project.deletion-started', 'project.deleted')").await, 2);
        assert_eq!((house.suspend(&[ada]).await, house.resume(&[ada]).await), (0, 0));
    }

    /// R4.6, R9.3: a debt stops the customer at both steps, and leaves the token good for when it is paid.
    async fn a_debt_stops_a_customers_deletion_and_not_the_dunnings(db: TestDatabase) {
        let house = &House::open(db).await;
        let (ada, project) = house.funded("ada@example.com").await;
        let ask = || by(ada, RequestProjectDeletionRequest { name: project.name.clone(), ..Default::default() });
        house.owes(true);
        let status = house.projects().request_project_deletion(ask()).await.expect_err("a debt");
        assert_eq!(reason(&status), "DEBT_UNPAID");
        house.owes(false);
        house.projects().request_project_deletion(ask()).await.expect("requested");
        let purpose = format!("token/project-deletion/{ada}/{}/1", project_id(&project));
        let token = house.platform.key.reveal(&purpose);
        let confirm = || {
            let (name, token) = (project.name.clone(), token.clone());
            by(ada, ConfirmProjectDeletionRequest { name, token, ..Default::default() })
        };
        house.owes(true);
        let status = house.projects().confirm_project_deletion(confirm()).await.expect_err("a debt");
        assert_eq!(reason(&status), "DEBT_UNPAID");
        assert_eq!(house.get(ada, &project).await.state(), State::Active);
        house.owes(false);
        let deleting = house.projects().confirm_project_deletion(confirm()).await.expect("deleted").into_inner();
        assert_eq!(deleting.state(), State::Deleting);
        let status = house.projects().confirm_project_deletion(confirm()).await.expect_err("twice");
        assert_eq!(reason(&status), "PROJECT_NOT_LIVE");
    }

    /// R2.5: a new version of the terms is accepted again before the next project, and stops nothing that runs.
    async fn new_terms_are_accepted_before_the_next_project(db: TestDatabase) {
        let house = &House::open(db).await;
        let (ada, project) = house.funded("ada@example.com").await;
        let next = "INSERT INTO terms_document (issuer, version, title, body, effective_at) \
                    SELECT issuer, 2, title, body, effective_at FROM terms_document WHERE issuer = 'fr'";
        house.execute(next, []).await.expect("new terms");
        let status = house.create(ada, "Second", None).await.expect_err("new terms");
        assert_eq!(crate::setting::unmet(&status), ["TERMS_NOT_ACCEPTED"]);
        house.add(ada, &project, "plans/b3-8").await.expect("what runs goes on");
        let accept = "INSERT INTO terms_acceptance (account_id, issuer, version, accepted_by, accepted_at) \
                      SELECT account_id, issuer, 2, 'test', updated_at FROM account WHERE account_id = $1";
        house.execute(accept, [ada.into()]).await.expect("accepted");
        house.create(ada, "Second", None).await.expect("created");
    }

    /// R4.6: what the database itself refuses of a deletion that has begun.
    async fn the_stop_of_metering_is_history(db: TestDatabase) {
        let house = &House::open(db).await;
        let (ada, _) = house.funded("ada@example.com").await;
        house.delete(&[ada]).await;
        for change in [
            "UPDATE project SET metering_stopped_at = grace_ends_at",
            "UPDATE project SET grace_ends_at = metering_stopped_at",
            "UPDATE project SET state = 'ACTIVE', deletion_cause = NULL, metering_stopped_at = NULL, grace_ends_at = NULL",
            "UPDATE project SET state = 'DELETED'",
            "DELETE FROM project",
        ] {
            house.execute(change, []).await.expect_err(change);
        }
    }
}
