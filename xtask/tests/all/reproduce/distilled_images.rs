use super::*;

/// Whatever the data: learned images predict more than those that learning began with.
fn learned_images_predict_more(results: &Value) {
    for images in [10, 100, 500] {
        let at = |method: &str, model: &str| {
            let place = json!({"images": images, "method": method, "model": model});
            value(results, "test_accuracy", &place)
        };
        let random = at("random images", "infinite");
        for method in ["learned images", "learned images and labels"] {
            assert!(at(method, "infinite") > random, "{images} {method}");
            let place = json!({"images": images, "method": method});
            let losses = ["first_loss", "last_loss"].map(|name| value(results, name, &place));
            assert!(losses[1] < losses[0], "{images} {method}: {losses:?}");
            // Guessing is right in one of ten.
            assert!(at(method, "network") > 0.2, "{images} {method}");
        }
    }
}

#[test]
fn distilled_images_from_the_sample() {
    learned_images_predict_more(&from_sample("distilled-images", 5));
}

#[test]
fn distilled_images_from_the_full_data() {
    let Some(data) = full_data() else { return };
    learned_images_predict_more(&from_full("distilled-images", 5, &data));
}
