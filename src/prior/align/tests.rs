//! Cameras whose similarity is known.

use super::*;
use crate::capture::{Camera, NamedPose};
use crate::prior::PointCloud;
use crate::random::uniform;
use glam::{DMat3, DMat4, DVec3};

const COUNT: usize = 10;

fn truth(scale: f64) -> Similarity {
    let rotation = DMat3::from_axis_angle(DVec3::new(1.0, -2.0, 0.5).normalize(), 2.1);
    Similarity { scale, rotation, translation: DVec3::new(5.0, -7.0, 0.3) }
}

/// A number in [−1, 1).
fn random(stream: u64, index: usize) -> f64 {
    2.0 * uniform(7, stream, index as u64) - 1.0
}

fn random_point(stream: u64, index: usize) -> DVec3 {
    DVec3::new(random(stream, index), random(stream + 100, index), random(stream + 200, index))
}

fn view(index: usize, viewmat: DMat4) -> View {
    let camera = Camera { width: 8, height: 8, fx: 8.0, fy: 8.0, cx: 4.0, cy: 4.0, viewmat, reduction: 1.0 };
    View { name: format!("{index:04}.JPG"), image: None, camera, lens: None, mask: None, gain: None, shots: Vec::new() }
}

/// Cameras at `center`, turned at random.
fn views(count: usize, center: impl Fn(usize) -> DVec3) -> Vec<View> {
    let viewmat = |i| {
        let turn = DMat3::from_axis_angle(random_point(1, i).normalize(), 3.0 * random(2, i));
        let mut viewmat = DMat4::from_mat3(turn);
        viewmat.w_axis = (-(turn * center(i))).extend(1.0);
        viewmat
    };
    (0..count).map(|i| view(i, viewmat(i))).collect()
}

/// The prior that the similarity takes to `views`.
fn prior(views: &[View], similarity: &Similarity) -> NamedPoses {
    let back = similarity.inverse();
    let pose = |view: &View| NamedPose {
        image: format!("images/{}_enhanced.png", view.name.trim_end_matches(".JPG")),
        viewmat: back.viewmat(view.camera.viewmat),
    };
    NamedPoses { path: "prior/sparse".into(), poses: views.iter().map(pose).collect(), points: None }
}

fn solve(prior: &NamedPoses, views: &[View], method: Method) -> Result<Alignment> {
    align(prior, &views.iter().collect::<Vec<_>>(), method, 42)
}

/// Largest error of where points among the cameras go.
fn error(found: &Similarity, truth: &Similarity) -> f64 {
    let point = |i| truth.inverse().point(random_point(9, i));
    (0..20).map(|i| found.point(point(i)).distance(truth.point(point(i)))).fold(0.0, f64::max)
}

/// Moves the camera `index` of a prior by `offset`.
fn shift(prior: &mut NamedPoses, index: usize, offset: DVec3) {
    let rotation = DMat3::from_mat4(prior.poses[index].viewmat);
    prior.poses[index].viewmat.w_axis -= (rotation * offset).extend(0.0);
}

#[test]
fn exact_cameras_give_the_exact_similarity() {
    let all = views(COUNT, |i| random_point(3, i));
    for (method, scale) in [(Method::Sim3, 0.013), (Method::Sim3, 240.0), (Method::Rigid, 1.0)] {
        let found = solve(&prior(&all, &truth(scale)), &all, method).unwrap();
        assert!(error(&found.similarity, &truth(scale)) < 1e-9, "{:?}", found.report);
        assert!(found.report.rmse < 1e-9 && found.report.left_out.is_empty() && found.report.unmatched.is_empty());
        assert_eq!((found.report.matched, found.report.basis.as_str()), ([0, COUNT, 0], "centers"));
        let viewmat = found.similarity.viewmat(found.viewmats[4].unwrap());
        assert!(viewmat.abs_diff_eq(all[4].camera.viewmat, 1e-9));
    }
    let found = solve(&prior(&all, &truth(1.1)), &all, Method::Rigid).unwrap();
    assert!(found.report.rmse > 0.02 && found.report.scale == 1.0, "a rigid fit has no scale");
    assert!((found.similarity.rotation.determinant() - 1.0).abs() < 1e-12);
}

#[test]
fn noise_is_averaged_and_two_wrong_cameras_of_ten_are_left_out_by_name() {
    let all = views(COUNT, |i| random_point(3, i));
    let mut noisy = prior(&all, &truth(2.0));
    (0..COUNT).for_each(|i| shift(&mut noisy, i, 0.002 * random_point(4, i)));
    let found = solve(&noisy, &all, Method::Sim3).unwrap();
    assert!(found.report.left_out.is_empty() && error(&found.similarity, &truth(2.0)) < 0.01, "{:?}", found.report);
    shift(&mut noisy, 3, DVec3::new(0.3, -0.1, 0.2));
    shift(&mut noisy, 8, DVec3::new(-4.0, 10.0, 20.0));
    let found = solve(&noisy, &all, Method::Sim3).unwrap();
    assert_eq!(found.report.left_out, ["0003.JPG", "0008.JPG"]);
    assert!(error(&found.similarity, &truth(2.0)) < 0.01 && found.report.rmse < 0.006, "{:?}", found.report);
    let has_pose: Vec<bool> = found.viewmats.iter().map(Option::is_some).collect();
    assert_eq!(has_pose.iter().filter(|has| !**has).count(), 2);
    assert!(!has_pose[3] && !has_pose[8]);
}

#[test]
fn many_cameras_of_which_a_third_is_wrong() {
    let all = views(90, |i| random_point(3, i));
    let mut wrong = prior(&all, &truth(0.5));
    (0..90).step_by(3).for_each(|i| shift(&mut wrong, i, 3.0 * random_point(4, i)));
    let found = solve(&wrong, &all, Method::Sim3).unwrap();
    assert!(error(&found.similarity, &truth(0.5)) < 1e-9 && found.report.left_out.len() > 25, "{:?}", found.report);
    assert_eq!(solve(&wrong, &all, Method::Sim3).unwrap().report, found.report);
}

/// Where all cameras stand almost in one plane, the nearest orthogonal matrix may be a mirror.
#[test]
fn never_a_reflection() {
    let all = views(COUNT, |i| random_point(3, i) * DVec3::new(1.0, 1.0, 1e-3));
    let mut noisy = prior(&all, &truth(1.0));
    for seed in 0..20 {
        (0..COUNT).for_each(|i| shift(&mut noisy, i, 0.003 * random_point(4 + seed, i)));
        let found = solve(&noisy, &all, Method::Sim3).unwrap();
        assert!((found.similarity.rotation.determinant() - 1.0).abs() < 1e-9);
        assert!(error(&found.similarity, &truth(1.0)) < 0.1, "{:?}", found.report);
    }
}

#[test]
fn on_a_line_or_with_two_cameras_orientations_decide() {
    let line = |i: usize| DVec3::new(0.3, 1.0, -0.2) * i as f64 + DVec3::new(4.0, 0.0, 1.0);
    for count in [2, 3, 8] {
        let all = views(count, line);
        let exact = prior(&all, &truth(3.0));
        let found = solve(&exact, &all, Method::Sim3).unwrap();
        assert!(error(&found.similarity, &truth(3.0)) < 1e-7, "{:?}", found.report);
        assert_eq!(found.report.basis, "line");
        // Orientations of another convention say nothing.
        let mut strange = exact.clone();
        for (i, pose) in strange.poses.iter_mut().enumerate() {
            let center = pose.viewmat.inverse().w_axis.truncate();
            let turn = DMat3::from_axis_angle(random_point(5, i).normalize(), 2.5);
            pose.viewmat = DMat4::from_mat3(turn);
            pose.viewmat.w_axis = (-(turn * center)).extend(1.0);
        }
        let message = solve(&strange, &all, Method::Sim3).unwrap_err().to_string();
        assert!(message.contains("orientations") && message.contains("prior/sparse"), "{message}");
    }
    // One of eight away from the line does not make a plane of it.
    let all = views(8, line);
    let mut wrong = prior(&all, &truth(3.0));
    shift(&mut wrong, 5, DVec3::new(2.0, 0.0, 0.5));
    let found = solve(&wrong, &all, Method::Sim3).unwrap();
    assert_eq!(
        (found.report.left_out.as_slice(), found.report.basis.as_str()),
        (&["0005.JPG".to_string()][..], "line")
    );
    assert!(error(&found.similarity, &truth(3.0)) < 1e-7, "{:?}", found.report);
}

#[test]
fn cameras_at_one_point_have_no_scale() {
    let all = views(5, |_| DVec3::new(1.0, 2.0, 3.0));
    let message = solve(&prior(&all, &truth(2.0)), &all, Method::Sim3).unwrap_err().to_string();
    assert!(message.contains("one point") && message.contains("rigid"), "{message}");
    let found = solve(&prior(&all, &truth(1.0)), &all, Method::Rigid).unwrap();
    assert!(error(&found.similarity, &truth(1.0)) < 1e-9, "{:?}", found.report);
    assert_eq!(found.report.basis, "orientations");
}

#[test]
fn frames_that_agree_are_left_alone() {
    let all = views(COUNT, |i| random_point(3, i));
    let mut same = prior(&all, &Similarity::IDENTITY);
    (0..COUNT).for_each(|i| shift(&mut same, i, 1e-6 * random_point(4, i)));
    shift(&mut same, 2, DVec3::X);
    let found = solve(&same, &all, Method::Sim3).unwrap();
    assert_eq!((found.similarity, found.report.method.as_str()), (Similarity::IDENTITY, "identity"));
    assert_eq!(found.report.left_out, ["0002.JPG"]);
    let found = solve(&prior(&all, &truth(2.0)), &all, Method::None).unwrap();
    assert_eq!((found.similarity, found.report.method.as_str()), (Similarity::IDENTITY, "none"));
    assert!(found.report.rmse > 1.0);
}

#[test]
fn too_few_matches_and_another_scene_are_refused() {
    let all = views(COUNT, |i| random_point(3, i));
    let mut few = prior(&all, &truth(2.0));
    few.poses.truncate(4);
    few.poses.iter_mut().skip(1).for_each(|pose| pose.image = "somewhere/photo.png".into());
    let message = solve(&few, &all, Method::Sim3).unwrap_err().to_string();
    assert!(message.contains("1 of its 4 cameras") && message.contains("photo.png, ") && message.contains("0001.JPG"));
    let other = prior(&views(COUNT, |i| random_point(6, i)), &truth(2.0));
    let message = solve(&other, &all, Method::Sim3).unwrap_err().to_string();
    assert!(message.contains("not arranged like"), "{message}");
    let message = solve(&prior(&all, &truth(3.0)), &all, Method::Rigid).unwrap_err().to_string();
    assert!(message.contains("sim3"), "{message}");
}

#[test]
fn clouds_move_with_their_normals() {
    let similarity = truth(3.0);
    let (at, normal) = (random_point(5, 0), random_point(6, 0).normalize());
    let single = |v: DVec3| v.as_vec3().to_array();
    let mut cloud = PointCloud { positions: vec![single(at)], colors: vec![[0; 3]], normals: vec![single(normal)] };
    similarity.move_cloud(&mut cloud);
    // The normal is that of a second point beside the first.
    let way = (similarity.point(at + normal) - similarity.point(at)) / 3.0;
    assert!(glam::Vec3::from(cloud.normals[0]).distance(way.as_vec3()) < 1e-6);
    assert!(glam::Vec3::from(cloud.positions[0]).distance(similarity.point(at).as_vec3()) < 1e-5);
}
