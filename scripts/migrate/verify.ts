import { writeFile } from 'node:fs/promises'
import { startProgress } from '../support/progress.js'
import { tableOf } from '../support/table.js'
import { lastMigration } from './batches.js'
import type { SourceFile } from './check-files.js'
import { verifyRelationships } from './verify-relationships.js'
import { type Difference, type VerifiedFile, verifyFile } from './verify-rows.js'

/**
 * Compares the files with what is stored, prints what was found and writes it to a report.
 *
 * @throws {Error} where anything is missing, differs or points nowhere.
 */
export async function verify(
  files: readonly SourceFile[],
  { source, report, signal }: { source: string; report: string; signal: AbortSignal },
): Promise<void> {
  const verified: Record<string, VerifiedFile> = {}
  const differences: Difference[] = []
  for (const file of files) {
    const progress = startProgress(`${file.kind.name}, compared`)
    try {
      verified[file.kind.name] = await verifyFile(file, { signal, progress, differences })
    } finally {
      progress.end()
    }
  }
  const relationships = await verifyRelationships()
  const faults =
    Object.values(verified).reduce(
      (sum, { missing, differing, unusable }) => sum + missing + differing + unusable,
      0,
    ) +
    relationships.brokenSessions +
    relationships.brokenSubmissions +
    relationships.unlinkedLeads +
    relationships.differingCounters
  const migration = await lastMigration()
  const found = {
    ok: faults === 0,
    checkedAt: new Date(),
    source,
    migration,
    files: verified,
    relationships,
    differences,
  }
  await writeFile(report, `${JSON.stringify(found, null, 2)}\n`)
  console.log(filesTable(verified))
  console.log(`\n${tableOf(['relationship', 'count'], Object.entries(relationships).map(named))}`)
  console.error(`The report is in ${report}.`)
  if (faults > 0)
    throw new Error(`${faults} difference${faults === 1 ? '' : 's'} between the files and the database`)
}

function filesTable(verified: Readonly<Record<string, VerifiedFile>>): string {
  const rows = Object.entries(verified).map(([name, file]) => [
    name,
    file.rows,
    file.empty + file.unusable,
    file.found,
    file.missing,
    file.expired,
    file.compared,
    file.differing,
  ])
  return tableOf(
    ['', 'rows', 'without document', 'found', 'missing', 'expired', 'compared', 'differing'],
    rows,
  )
}

/** `sessionsOfALead` as `sessions of a lead`. */
function named([name, count]: [string, number]): [string, number] {
  return [name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`), count]
}
