//! What the database refuses: projects that move, resources that come back, history that is rewritten.

use florin_api::project::v1::{
    AddResourceRequest, RemoveResourceRequest, Resource, resource_service_server::ResourceService,
};
use florin_testbed::on_both_backends;

use crate::setting::{House, by};

on_both_backends! {
    /// R4.5, R5.2: refused by the database itself.
    async fn what_was_held_is_history(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("history@example.com").await;
        let resource = Resource { plan: "plans/b3-8".to_owned(), ..Resource::default() };
        let add = AddResourceRequest {
            parent: project.name.clone(),
            resource: Some(resource),
            ..AddResourceRequest::default()
        };
        let added = house.resources().add_resource(by(account, add)).await.expect("added").into_inner();
        for text in [
            "UPDATE resource_interval SET plan = 'b3-16'",
            "UPDATE resource_interval SET size = '2'",
            "UPDATE resource_interval SET started_at = '2027-03-01T07:00:00Z'",
            "DELETE FROM resource_interval",
            "UPDATE resource SET region = 'bhs'",
            "DELETE FROM resource",
            "UPDATE project SET currency = 'USD'",
            "UPDATE project SET funding = 'NOT_ASKED', funding_id = NULL",
            "DELETE FROM project",
        ] {
            let refused = house.execute(text, []).await.expect_err(text);
            assert!(refused.to_string().contains("it is history"), "{text}: {refused}");
        }

        let remove = RemoveResourceRequest { name: added.name, ..RemoveResourceRequest::default() };
        house.resources().remove_resource(by(account, remove)).await.expect("removed");
        for text in [
            "UPDATE resource_interval SET ended_at = NULL",
            "UPDATE resource_interval SET ended_at = '2027-03-31T00:00:00Z'",
            "UPDATE resource SET removed_at = NULL",
        ] {
            house.execute(text, []).await.expect_err(text);
        }
    }
}
