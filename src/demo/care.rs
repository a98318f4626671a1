//! Care for chronic problems: CareTeam, Goal and CarePlan, and the goal's reviews.

use serde_json::{Value, json};

use super::element::{concept, day, named_reference, quantity, reference, set, status, text};
use super::pen::Pen;
use super::person::later;
use super::problem::Known;
use super::schedule::Reason;
use super::tables::problems::{Plan, Target};
use super::tables::{Coding, snomed, staff, system};
use super::visit::Visit;

/// Of a hundred follow-ups, how many review a goal.
const REVIEW_PERCENT: u32 = 25;
const DAYS_TO_GOAL: i64 = 365;
const PATIENT_ROLE: Coding = snomed("116154003", "Patient");

/// The goals of one patient that are still pursued.
#[derive(Default)]
pub struct Care {
    goals: Vec<Value>,
}

impl Care {
    pub fn plan(&mut self, visit: &Visit, known: &Known, plan: &Plan, pen: &mut Pen) {
        let team = pen.put("CareTeam", team(visit, known));
        let goal = pen.put_and_keep("Goal", goal(visit, known, plan));
        let activities: Vec<Value> = plan
            .activities
            .iter()
            .map(
                |activity| json!({"detail": {"code": concept(*activity), "status": "in-progress"}}),
            )
            .collect();
        let body = json!({
            "status": "active",
            "intent": "plan",
            "category": [concept(plan.category)],
            "title": plan.category.display,
            "subject": visit.subject(),
            "encounter": visit.encounter(),
            "period": {"start": day(visit.date)},
            "created": visit.end(),
            "author": visit.author(),
            "careTeam": [reference("CareTeam", &team)],
            "addresses": [reference("Condition", &known.condition)],
            "goal": [reference("Goal", text(&goal, "id"))],
            "activity": activities,
        });
        pen.put("CarePlan", body);
        self.goals.push(goal);
    }

    /// Reviews the goals, some of which turn out to be reached.
    pub fn review(&mut self, visit: &Visit, pen: &mut Pen) {
        if !matches!(visit.reason, Reason::FollowUp) {
            return;
        }
        self.goals.retain_mut(|goal| {
            if !pen.random.chance(REVIEW_PERCENT) {
                return true;
            }
            let reached = pen.random.chance(40);
            let achievement = if reached { "achieved" } else { "improving" };
            let lifecycle = if reached { "completed" } else { "active" };
            set(goal, "lifecycleStatus", json!(lifecycle));
            set(goal, "achievementStatus", status(system::GOAL_ACHIEVEMENT, achievement));
            set(goal, "statusDate", json!(day(visit.date)));
            pen.commit.put_again(goal.clone());
            !reached
        });
    }
}

fn team(visit: &Visit, known: &Known) -> Value {
    let person = visit.person;
    json!({
        "status": "active",
        "name": format!("Team for {}", known.chronic.code.display),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "period": {"start": day(visit.date)},
        "participant": [
            {
                "role": [concept(PATIENT_ROLE)],
                "member": named_reference("Patient", &person.id, &person.full_name()),
            },
            {
                "role": [concept(person.doctor.role)],
                "member": named_reference(
                    "Practitioner",
                    person.doctor.id,
                    &person.doctor.full_name(),
                ),
            },
            {
                "role": [concept(staff::NURSE.role)],
                "member": reference("Practitioner", staff::NURSE.id),
            },
        ],
        "reasonReference": [reference("Condition", &known.condition)],
        "managingOrganization": [reference("Organization", staff::CLINIC.id)],
    })
}

fn goal(visit: &Visit, known: &Known, plan: &Plan) -> Value {
    let mut body = json!({
        "lifecycleStatus": "active",
        "achievementStatus": status(system::GOAL_ACHIEVEMENT, "in-progress"),
        "description": {"text": plan.goal},
        "subject": visit.subject(),
        "startDate": day(visit.date),
        "statusDate": day(visit.date),
        "expressedBy": visit.author(),
        "addresses": [reference("Condition", &known.condition)],
    });
    if let Some(target) = &plan.target {
        set(&mut body, "target", json!([target_element(visit, target)]));
    }
    body
}

fn target_element(visit: &Visit, target: &Target) -> Value {
    json!({
        "measure": concept(target.measure),
        "detailRange": {"high": quantity(target.below, 1, target.unit)},
        "dueDate": day(later(visit.date, DAYS_TO_GOAL)),
    })
}
