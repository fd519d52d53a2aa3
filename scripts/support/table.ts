/** What a script did with what it looked at, of one kind. */
export interface Tally {
  scanned: number
  /** In a dry run: what would be. */
  written: number
  skipped: number
  failed: number
}

export function emptyTally(): Tally {
  return { scanned: 0, written: 0, skipped: 0, failed: 0 }
}

/** Counts what was looked at and written, or would be, by kind. */
export function countWritten(tallies: Record<string, Tally>, kind: string, count: number): void {
  const { scanned, written, ...rest } = tallies[kind] ?? emptyTally()
  tallies[kind] = { scanned: scanned + count, written: written + count, ...rest }
}

/** The table that every script ends with: a row a kind. */
export function tallyTable(tallies: Readonly<Record<string, Tally>>): string {
  const rows = Object.entries(tallies).map(([kind, { scanned, written, skipped, failed }]) => [
    kind,
    scanned,
    written,
    skipped,
    failed,
  ])
  return tableOf(['', 'scanned', 'written', 'skipped', 'failed'], rows)
}

/** A table for people: texts to the left, numbers to the right with their thousands apart. */
export function tableOf(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows].map(row => row.map(written))
  const widths = header.map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0)))
  const numeric = header.map((_, column) => rows.every(row => typeof row[column] === 'number'))
  return cells
    .map(row =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return numeric[column] && rows.length > 0 ? cell.padStart(width) : cell.padEnd(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function written(cell: string | number): string {
  return typeof cell === 'number' ? cell.toLocaleString('en-GB') : cell
}
