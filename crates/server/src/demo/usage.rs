//! An instance and a volume, by the hour (R5.2).

use florin_api::{
    money::Decimal,
    project::v1::{AddResourceRequest, GetCurrentUsageRequest, RemoveResourceRequest, Resource},
};

use super::{Stage, people::Customer, print};
use crate::cli::CliError;

pub(super) async fn an_instance_and_a_volume(stage: &Stage, ada: &Customer) -> Result<(), CliError> {
    print::chapter("An instance and a volume run for a while");
    stage.move_clock(stage.moment(4, 9, 40)).await?;
    let instance = add(ada, "plans/b3-8", "engine", "1").await?;
    stage.move_clock(stage.moment(8, 10, 0)).await?;
    let volume = add(ada, "plans/volume-classic", "store", "250").await?;
    stage.move_clock(stage.moment(12, 16, 30)).await?;
    for name in [instance, volume] {
        let request = RemoveResourceRequest { name, ..Default::default() };
        ada.caller.resources().remove_resource(request).await?;
    }
    print::sentence("both are removed");

    let request = GetCurrentUsageRequest { parent: ada.project.clone() };
    let usage = ada.caller.usage().get_current_usage(request).await?.into_inner();
    let mut rows: Vec<Vec<String>> = usage
        .lines
        .iter()
        .map(|line| {
            vec![
                line.resource_display_name.clone(),
                line.plan.clone(),
                format!("{} {}", decimal(line.quantity.as_ref()), line.unit),
                decimal(line.unit_price.as_ref()),
                print::money(line.net.as_ref()),
            ]
        })
        .collect();
    let total = print::money(usage.net_total.as_ref());
    rows.push(vec!["together".to_owned(), String::new(), String::new(), String::new(), total]);
    print::table(&["resource", "plan", ">used", ">unit price", ">net"], rows);
    Ok(())
}

async fn add(ada: &Customer, plan: &str, name: &str, size: &str) -> Result<String, CliError> {
    let resource = Resource {
        plan: plan.to_owned(),
        display_name: name.to_owned(),
        size: Some(Decimal { value: size.to_owned() }),
        region: "gra".to_owned(),
        ..Resource::default()
    };
    let request =
        AddResourceRequest { parent: ada.project.clone(), resource: Some(resource), ..Default::default() };
    let added = ada.caller.resources().add_resource(request).await?.into_inner();
    print::sentence(&format!("{name} runs on {plan}"));
    Ok(added.name)
}

pub(super) fn decimal(value: Option<&Decimal>) -> String {
    value.map(|decimal| decimal.value.clone()).unwrap_or_default()
}
