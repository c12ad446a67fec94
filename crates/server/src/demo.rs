//! `florin demo`: the whole story, told against a running sandbox server.
//!
//! | chapter | what happens |
//! |---|---|
//! | [`people`] | three customers sign up; each funds the first project in another way |
//! | [`credit`] | the first of them buys credit, redeems a voucher, is granted more |
//! | [`usage`] | an instance and a volume run, on the sandbox clock |
//! | [`bill`] | the month ends, the invoice is issued, settled and explained |

mod bill;
mod credit;
mod people;
mod print;
mod usage;

use clap::Args;
use florin_api::sandbox::v1::{AdvanceClockRequest, GetClockRequest, advance_clock_request::Target};
use florin_platform::wire;
use florin_settlement::{Instant, Month};

use crate::{cli::CliError, client::Caller};

/// Where to tell the story.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// The server, as in http://127.0.0.1:50051
    #[arg(long, env = "FLORIN_SERVER", default_value = "http://127.0.0.1:50051")]
    pub server: String,
    /// The sandbox service token the server printed when it started
    #[arg(long, env = "FLORIN_TOKEN")]
    pub token: String,
}

/// The people and the moments of the story.
pub(crate) struct Stage {
    /// Nobody yet.
    pub(crate) anonymous: Caller,
    /// Whoever runs the sandbox.
    pub(crate) operator: Caller,
    /// The month in which everything happens.
    pub(crate) month: Month,
}

impl Stage {
    /// Moves the clock to `at` and says so.
    pub(crate) async fn move_clock(&self, at: Instant) -> Result<(), CliError> {
        let target = Some(Target::TargetTime(wire::timestamp(at)));
        let request = AdvanceClockRequest { target, ..AdvanceClockRequest::default() };
        let moved = self.operator.clock().advance_clock(request).await?.into_inner();
        print::time(at);
        for run in &moved.job_runs {
            print::detail(&format!("job {} did {} piece(s) of work on the way", run.job, run.done_count));
        }
        Ok(())
    }

    /// An instant of the story's month.
    pub(crate) fn moment(&self, day: u32, hour: u32, minute: u32) -> Instant {
        let seconds = u64::from(minute) * 60;
        self.month.start().plus_days(day - 1).plus_hours(hour).plus_seconds(seconds)
    }
}

/// Tells the story.
pub async fn run(args: &DemoArgs) -> Result<(), CliError> {
    let anonymous = Caller::connect(&args.server).await?;
    let operator = anonymous.with_token(&args.token);
    let now = operator.clock().get_clock(GetClockRequest {}).await?.into_inner().current_time;
    let now = wire::instant(&now.unwrap_or_default())?;
    // The story begins on the 2nd of a month that lies ahead.
    let this = Month::of(now);
    let month = if now < this.start().plus_days(1) { this } else { this.next() };
    let stage = Stage { anonymous, operator, month };

    print::title(&format!("The story of {month}, told against {}", args.server));
    stage.move_clock(stage.moment(2, 9, 0)).await?;
    let ada = people::three_ways_to_fund(&stage).await?;
    credit::bought_redeemed_and_granted(&stage, &ada).await?;
    usage::an_instance_and_a_volume(&stage, &ada).await?;
    bill::settled_and_explained(&stage, &ada).await
}
