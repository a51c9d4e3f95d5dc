//! The notebook's split into training and test images.

/// The rows of the published file that are tested on, in the notebook's order: the first 250 of a
/// permutation of 1250 by NumPy's legacy generator with seed 42, as scikit-learn's
/// `train_test_split(test_size=0.2, random_state=42)` takes them. The notebook trains on the
/// others.
pub(super) const TEST: [usize; 250] = [
    680, 1102, 394, 930, 497, 462, 950, 81, 43, 128, 1170, 743, 513, 461, 1167, 1239, 1050, 945,
    1043, 1139, 209, 942, 1118, 778, 270, 618, 243, 628, 1210, 1066, 708, 876, 650, 170, 894, 1147,
    424, 762, 174, 813, 409, 964, 1156, 522, 427, 435, 622, 809, 1211, 1178, 760, 745, 1149, 49,
    570, 296, 575, 413, 994, 363, 967, 78, 63, 438, 560, 1177, 935, 294, 1158, 76, 543, 519, 1237,
    865, 218, 1121, 285, 952, 717, 464, 787, 168, 44, 803, 309, 1197, 31, 890, 1085, 554, 123, 86,
    390, 578, 561, 101, 423, 344, 451, 327, 732, 1185, 290, 629, 937, 113, 549, 558, 630, 1092,
    1148, 916, 155, 982, 231, 1240, 881, 51, 70, 240, 23, 613, 584, 405, 107, 58, 1213, 953, 980,
    1110, 220, 731, 823, 910, 721, 695, 968, 624, 367, 977, 536, 192, 54, 535, 661, 56, 109, 298,
    289, 566, 1140, 479, 352, 885, 333, 666, 552, 770, 621, 836, 453, 506, 411, 538, 1087, 858,
    590, 198, 1183, 277, 196, 486, 342, 210, 308, 774, 442, 1164, 1143, 259, 477, 312, 247, 1032,
    10, 147, 993, 998, 485, 425, 331, 275, 752, 1135, 727, 420, 1070, 467, 371, 208, 812, 707, 135,
    365, 999, 961, 355, 626, 788, 158, 140, 579, 465, 254, 679, 1083, 832, 297, 65, 777, 841, 864,
    478, 676, 96, 184, 286, 233, 163, 1146, 380, 221, 1015, 156, 739, 1010, 1106, 265, 199, 244,
    1019, 529, 918, 346, 415, 382, 678, 1002, 361, 490,
];

/// The number of images that are split, the first of the published file.
pub(super) const IMAGES: usize = 1250;

/// Returns the rows that are trained on, in file order: all but [`TEST`].
pub(super) fn train() -> Vec<usize> {
    (0..IMAGES).filter(|row| !TEST.contains(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_on_one_side() {
        let mut all = [TEST.as_slice(), &train()].concat();
        assert_eq!(train().len(), 1000);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..IMAGES));
    }
}
