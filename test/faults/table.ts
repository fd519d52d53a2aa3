import { CLIENTS, type Client } from './clients.js'

/** A table of what each client saw, a row a fault, for whoever runs the tests to read. */
export function table(title: string, rows: ReadonlyMap<string, Record<Client, string>>): string {
  const width = Math.max(title.length, ...[...rows.keys()].map(name => name.length))
  const line = (first: string, cells: readonly string[]) =>
    [first.padEnd(width), ...cells.map(cell => cell.padStart(11))].join('')
  return [
    line(title, CLIENTS),
    ...[...rows].map(([name, row]) =>
      line(
        name,
        CLIENTS.map(client => row[client]),
      ),
    ),
  ].join('\n')
}
