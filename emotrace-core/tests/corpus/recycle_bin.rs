//! Recycle Bin records of Windows XP to 11. Values: rifiuti2 and rifiuti-vista 0.7.0 (whole seconds).

use std::fs;
use std::path::Path;

use emotrace_core::formats::recycle_bin;
use emotrace_core::model::Timestamp;

pub(crate) const CASES: &[super::Case] =
    &[("recycle_bin_i_files", i_files), ("recycle_bin_info2", info2), ("recycle_bin_plaso", plaso)];

/// Date and time to the second.
fn second(time: Option<Timestamp>) -> String {
    time.unwrap().to_string()[..19].replace('T', " ")
}

fn i_files(corpus: &Path) {
    let expected = [
        (r"plaso/$I103S5F.jpg", "2016-06-29 21:37:45", 222_255, r"C:\Users\random\Downloads\bunnies.jpg"),
        (
            r"plaso/$II3DF3L.zip",
            "2012-03-12 20:49:58",
            724_919,
            r"C:\Users\nfury\Documents\Alloy Research\StarFury.zip",
        ),
        (r"museum/Win10/$IRL4KYI.txt", "2022-02-06 20:10:32", 0, r"C:\Users\AndrewRathbun\Desktop\deletedfile.txt"),
        (r"museum/Win10/Win10 - DEFCON 2018 Desktop/$IFATB0K", "2018-08-07 19:54:50", 3_276_800, r"C:\vss"),
        (r"museum/Win10/Win10 - DEFCON 2018 Desktop/$I2JRX90", "2018-08-07 19:54:58", 14_155_310, r"C:\temp"),
        (r"museum/Win11/$I7BJJ65.txt", "2022-02-06 20:07:39", 0, r"C:\Users\AndrewRathbun\Desktop\deletedfile.txt"),
        (r"museum/Win7/Win7 - nfury/$I6SODDB", "2012-04-06 18:42:04", 102_742, r"C:\Windows\System32\dllhost"),
        (
            r"museum/Win7/Win7 - nfury/$ID5HSV3.exe",
            "2012-04-06 18:43:07",
            3_943_584,
            r"C:\Windows\System32\hythonize.exe",
        ),
        (
            r"museum/Win7/Win7 - nfury/$IZI9VH9.exe",
            "2012-04-06 18:43:07",
            2_990_574,
            r"C:\Windows\System32\hythonized.exe",
        ),
        (
            r"museum/Win7/Win7 - nromanoff/$ISEBKEC.zip",
            "2012-03-16 20:27:20",
            13_449_655,
            r"C:\Users\nromanoff\Documents\New-Site-HQ-And-Landing-Pad.zip",
        ),
        (
            r"museum/Win8.1/Win8.1 - Donald Blake/$IG1VEXX.xls",
            "2013-10-21 18:32:52",
            16_384,
            r"C:\Users\Donald\SkyDrive\Documents\WACC Calc Spreadsheet -SECRET.xls",
        ),
        (
            r"museum/Win2012R2/StolenSzechuan/$IU2L112.txt",
            "2020-09-19 03:34:27",
            28,
            r"C:\FileShare\Secret\SECRET_beth.txt",
        ),
    ];
    for (path, time, size, original) in expected {
        let data = fs::read(corpus.join("recyclebin").join(path)).unwrap();
        let (item, cut) = recycle_bin::read_i(&data).unwrap();
        let got = (second(item.deleted), item.size, item.original_path.as_deref(), cut);
        assert_eq!(got, (time.to_owned(), size, Some(original), None), "{path}");
    }
}

fn info2(corpus: &Path) {
    let place = corpus.join("recyclebin/museum/WinXP/WinXp - mueller1");
    let (items, cut) = recycle_bin::read_info2(&fs::read(place.join("INFO2_MultiFiles")).unwrap()).unwrap();
    let desktop = r"C:\Documents and Settings\test\Desktop";
    let rows: Vec<_> = items
        .iter()
        .map(|i| {
            let more = i.info2.as_ref().unwrap();
            (more.index, second(i.deleted), more.left_the_bin, i.size, i.original_path.clone().unwrap())
        })
        .collect();
    assert_eq!(cut, None);
    assert!(rows[0].4.ends_with("really long name11.txt") && !rows[0].2 && rows[0].3 == 0);
    let time = || "2018-11-20 02:04:54".to_owned();
    assert_eq!(
        rows[1..],
        [
            (2, time(), true, 4096, format!(r"{desktop}\first file.txt")),
            (3, time(), true, 4096, format!(r"{desktop}\Folder1")),
            (4, time(), false, 360_448, format!(r"{desktop}\Folder2")),
        ]
    );
    let (items, _) = recycle_bin::read_info2(&fs::read(place.join("INFO2")).unwrap()).unwrap();
    assert_eq!((items.len(), items[0].original_path.as_deref()), (1, Some(r"Z:\WINDOWS\explorer.exe")));
    assert_eq!((second(items[0].deleted).as_str(), items[0].size), ("2008-01-30 15:13:03", 1_005_568));
}

/// Source: plaso, tests/parsers/recycler.py.
fn plaso(corpus: &Path) {
    let data = fs::read(corpus.join("recyclebin/plaso/INFO2")).unwrap();
    let (items, _) = recycle_bin::read_info2(&data).unwrap();
    let times: Vec<String> = items.iter().map(|i| i.deleted.unwrap().to_string()[..23].to_owned()).collect();
    assert_eq!(times[0], "2004-08-25T16:18:25.237");
    assert_eq!(items.len(), 4);
    assert_eq!(recycle_bin::info2_bin_name(&items[0]).as_deref(), Some("Dc1.exe"));
}
