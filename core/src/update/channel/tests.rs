use super::*;
use crate::update::fleet::owner::{BEGIN, DAY, DOCUMENT, History};

const TOTAL: Duration = Duration::from_secs(20);
const START: Duration = Duration::ZERO;

fn at(wall: u64) -> Moment {
    Moment { wall, boot: Duration::from_secs(wall), chance: 0.5 }
}

/// The device's time while what is embedded is fresh.
const NOW: u64 = BEGIN + 3_600;

/// A channel of what the app was shipped with, which was looked at never; `embedded` more URLs.
fn channel(history: &History, embedded: usize) -> Channel {
    let state = State::from_embedded(&history.embedded).expect("a good start");
    let urls = (0..embedded).map(|i| format!("https://e{i}")).collect();
    Channel::new(state, Kept::of([0; 16]), urls, BEGIN - DAY, TOTAL, at(NOW))
}

fn answer(channel: &Channel, history: &History, number: usize) -> Answer {
    let first = State::from_embedded(&history.embedded).expect("a good start").order();
    judge(channel.state(), first, "fleet", &history.published[number].bundle)
}

fn digest(history: &History, number: usize) -> Digest {
    Digest::of(&history.published[number].bundle)
}

fn questions(actions: &[Action]) -> Vec<Question> {
    let asked = |action: &Action| match action {
        Action::Ask(question) => Some(question.clone()),
        _ => None,
    };
    actions.iter().filter_map(asked).collect()
}

fn unavailable(reason: &str) -> UpdateError {
    UpdateError::Unavailable(reason.into())
}

/// Has everything that is asked answered in vain, and says what was asked.
fn asked_in_vain(channel: &mut Channel, why: Why, wall: u64) -> Vec<String> {
    let mut open = questions(&channel.begin(why, at(wall), START));
    let mut urls = Vec::new();
    while let Some(question) = open.pop() {
        let actions = channel.answered(&question, Answer::Failed("gone".into()), at(wall), START);
        urls.push(question.url);
        open.extend(questions(&actions));
    }
    urls
}

/// Has everything that is asked answered with nothing new, and says how many were asked.
fn asked(channel: &mut Channel, why: Why, wall: u64) -> usize {
    let mut open = questions(&channel.begin(why, at(wall), START));
    let mut count = 0;
    while let Some(question) = open.pop() {
        let actions = channel.answered(&question, Answer::Known, at(wall), START);
        open.extend(questions(&actions));
        count += 1;
    }
    count
}

#[test]
fn a_look_that_is_due_asks_half_of_many_mirrors_and_one_that_matters_asks_all() {
    let history = History::new();
    let mut channel = channel(&history, 4);
    let stale = BEGIN + 15 * DAY;
    for (why, wall, count, begin) in [
        (Why::Due, NOW, 4, 4),
        (Why::Due, NOW, 4, 2),
        (Why::Due, NOW, 4, 0),
        (Why::Asked, NOW, 6, 1),
        (Why::Asked, NOW, 6, 2),
        (Why::Due, stale, 6, 3),
        (Why::Due, NOW, 4, 1),
    ] {
        assert_eq!(asked(&mut channel, why, wall), count, "{why:?}");
        assert_eq!(channel.kept().begin % 6, begin, "{why:?}");
    }
    let first = questions(&channel.begin(Why::Asked, at(NOW), START));
    assert_eq!(first[0].url, "https://e0", "where the last one would have gone on");
    assert_eq!(first[0].timeout, TOTAL);
    assert!(channel.begin(Why::Asked, at(NOW), START).is_empty(), "one look at a time");
    assert_eq!(channel.number(), 8);
}

#[test]
fn what_a_store_gives_counts_as_far_as_it_is_newer() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    let embedded = channel.state().clone();
    let Answer::Bundle { verdict: Ok(second), .. } = answer(&channel, &history, 1) else {
        panic!("the second is newer")
    };
    let kept = |number| Kept { digest: Some(digest(&history, number)), ..Kept::of([7; 16]) };
    assert!(!channel.take_over(embedded.clone(), kept(0), at(NOW)), "the same is no news");
    assert_eq!(channel.kept().digest, Some(digest(&history, 0)), "but the digest is of it");
    assert!(channel.take_over(second.clone(), kept(1), at(NOW)));
    assert_eq!((channel.state(), channel.kept().digest), (&second, Some(digest(&history, 1))));
    assert!(!channel.take_over(embedded, kept(0), at(NOW)), "older");
    assert_eq!((channel.state(), channel.kept().digest), (&second, Some(digest(&history, 1))));
    assert_eq!(channel.kept().install_id, [7; 16]);
}

#[test]
fn what_is_newer_is_swapped_told_and_stored_once_and_the_look_says_so() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    let first = questions(&channel.begin(Why::Asked, at(NOW), START)).remove(0);
    assert_eq!((first.url.as_str(), first.known), (DOCUMENT[0], None));
    let newer = answer(&channel, &history, 1);
    let order = history.published[1].order;
    let updated = Action::Tell(UpdateEvent::Updated { order });
    let actions = channel.answered(&first, newer, at(NOW), START);
    // It heals whoever waits at once, and nobody hurries to the next mirror.
    assert_eq!(actions, [Action::Swap, updated, Action::Store]);
    let actions = channel.proceed(at(NOW), Duration::from_millis(500));
    let second = questions(&actions).remove(0);
    assert_eq!(second.known, Some(digest(&history, 1)), "what is in force by now");
    let actions = channel.answered(&second, Answer::Known, at(NOW + 9), Duration::from_secs(1));
    assert_eq!(actions, [Action::Store, Action::Land(1, Ok(Refreshed::Updated))]);
    assert_eq!(channel.kept().checked, Some(NOW + 9));

    let again = questions(&channel.begin(Why::Asked, at(NOW), START)).remove(0);
    let same = answer(&channel, &history, 1);
    let actions = channel.answered(&again, same, at(NOW), START);
    let last = questions(&actions).remove(0);
    assert_eq!(actions.len(), 1, "nothing is stored before the look is over");
    let actions = channel.answered(&last, Answer::Known, at(NOW), START);
    assert_eq!(actions, [Action::Store, Action::Land(2, Ok(Refreshed::Unchanged))]);
}

#[test]
fn the_mirror_that_brings_what_is_newer_last_ends_the_look_with_one_store() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    let first = questions(&channel.begin(Why::Asked, at(NOW), START)).remove(0);
    let failed = channel.answered(&first, Answer::Failed("gone".into()), at(NOW), START);
    let last = questions(&failed).remove(0);
    let newer = answer(&channel, &history, 1);
    let updated = Action::Tell(UpdateEvent::Updated { order: history.published[1].order });
    let actions = channel.answered(&last, newer, at(NOW), START);
    let landed = Action::Land(1, Ok(Refreshed::Updated));
    assert_eq!(actions, [Action::Swap, updated, Action::Store, landed]);
}

#[test]
fn nothing_new_against_what_was_in_force_before_does_not_count_as_checked() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    let first = questions(&channel.begin(Why::Asked, at(NOW), START)).remove(0);
    let behind = questions(&channel.proceed(at(NOW), Duration::from_millis(500))).remove(0);
    let newer = answer(&channel, &history, 1);
    channel.answered(&first, newer, at(NOW), START);
    // It knows of nothing newer than what was in force when it was asked.
    let actions = channel.answered(&behind, Answer::Known, at(NOW + 60), Duration::from_secs(1));
    assert_eq!(channel.kept().checked, Some(NOW));
    assert!(actions.contains(&Action::Land(1, Ok(Refreshed::Updated))));
}

#[test]
fn a_look_that_nobody_answers_is_counted_and_told_and_one_that_somebody_does_ends_the_count() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    for failures in 1..=12 {
        assert_eq!(asked_in_vain(&mut channel, Why::Asked, NOW).len(), 2);
        assert_eq!(channel.kept().failures, failures.min(MAX_FAILURES));
    }
    assert_eq!(channel.last_error(), Some(&unavailable("gone")));
    let pause = channel.due_in(at(NOW));
    assert_eq!(channel.kept().due, Some(NOW + pause.as_secs()));
    assert!(!pause.is_zero());
    assert_eq!(asked(&mut channel, Why::Asked, NOW), 2);
    assert_eq!((channel.kept().failures, channel.last_error()), (0, None));
    assert_eq!(channel.kept().tried, Some(NOW));
    assert_eq!(channel.kept().due, Some(NOW + channel.due_in(at(NOW)).as_secs()));
}

#[test]
fn a_look_is_given_up_by_its_number_and_its_late_answers_end_no_other() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    let late = questions(&channel.begin(Why::Asked, at(NOW), START)).remove(0);
    assert!(channel.abandon(2, at(NOW)).is_empty(), "another one");
    let reason = "no update URL".to_owned();
    let told = Action::Tell(UpdateEvent::Unavailable { reason: reason.clone() });
    let landed = Action::Land(1, Err(UpdateError::Unavailable(reason)));
    assert_eq!(channel.abandon(1, at(NOW)), [told, Action::Store, landed]);
    assert!(channel.abandon(1, at(NOW)).is_empty(), "it is over");
    assert_eq!(channel.kept().failures, 1);

    assert_eq!(questions(&channel.begin(Why::Asked, at(NOW), START)).len(), 1);
    let in_vain = Answer::Failed("gone".into());
    assert!(channel.answered(&late, in_vain, at(NOW), START).is_empty());
    assert_eq!(channel.kept().failures, 1);
    // It says that nothing is newer, and the look that is under way goes on as if it had not.
    assert_eq!(channel.answered(&late, Answer::Known, at(NOW), START), [Action::Store]);
    assert_eq!(channel.kept().failures, 0);
    let newer = answer(&channel, &history, 1);
    let updated = Action::Tell(UpdateEvent::Updated { order: history.published[1].order });
    let actions = channel.answered(&late, newer, at(NOW), START);
    assert_eq!(actions, [Action::Swap, updated, Action::Store]);
}

#[test]
fn a_mirror_with_what_is_older_is_told_once_until_there_is_something_newer() {
    let history = History::new();
    let mut channel = channel(&history, 0);
    let question = questions(&channel.begin(Why::Asked, at(NOW), START)).remove(0);
    let told = |channel: &mut Channel, number: usize| {
        let answer = answer(channel, &history, number);
        let actions = channel.answered(&question, answer, at(NOW), START);
        let of_it = |action: Action| match action {
            Action::Tell(event) => Some(event),
            _ => None,
        };
        actions.into_iter().filter_map(of_it).collect::<Vec<_>>()
    };
    let stale = [UpdateEvent::StaleMirror { url: DOCUMENT[0].into() }];
    assert!(matches!(told(&mut channel, 2)[..], [UpdateEvent::Updated { .. }]));
    assert_eq!(told(&mut channel, 1), stale);
    assert!(told(&mut channel, 1).is_empty());
    assert!(matches!(told(&mut channel, 3)[..], [UpdateEvent::Updated { .. }]));
    assert_eq!(told(&mut channel, 1), stale);
    // It has caught up, and falls behind again.
    assert!(told(&mut channel, 3).is_empty());
    assert_eq!(told(&mut channel, 2), stale);
    // What is of an older root is older, too, though its signer is none any more.
    assert!(matches!(told(&mut channel, 16)[..], [UpdateEvent::Updated { .. }]));
    assert_eq!(told(&mut channel, 13), stale);
}
