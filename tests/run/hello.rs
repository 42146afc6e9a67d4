//! The first pipeline that a newcomer runs does what its comments say.

use crate::lab::Lab;

#[test]
fn hello_shows_what_caching_is() {
    let lab = Lab::new();
    let hello = include_str!("../../pipelines/hello.ron");
    lab.write("p.ron", hello);
    lab.run(&[]).expect_ran(&["fruits", "sorted", "hello"]);
    assert_eq!(lab.artifact("hello", "hello.txt"), "hello, apple\nhello, fig\nhello, pear\n");
    lab.run(&[]).expect_ran(&[]);
    lab.write("p.ron", &hello.replace("fig", "kiwi"));
    lab.run(&[]).expect_ran(&["fruits", "sorted", "hello"]);
    lab.write("p.ron", hello);
    lab.run(&[]).expect_ran(&[]);
    lab.write("p.ron", &hello.replace("fig\\\\n", "fig\\\\napple\\\\n"));
    let again = lab.run(&[]);
    again.expect_ran(&["fruits", "sorted"]);
    assert_eq!(again.list("cached"), ["hello"]);
}
