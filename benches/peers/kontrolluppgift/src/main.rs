//! Reads an export with the crate `kontrolluppgift` and says how many records there were: FILE.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    let text = std::fs::read_to_string(path)?;
    let export = kontrolluppgift::from_str(&text).map_err(|error| format!("{error:?}"))?;
    println!("{}", export.blanketter.len());
    Ok(())
}
