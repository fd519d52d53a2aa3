import { listProjectFiles } from '../dev/project-files.js'
import { resolveRequest } from '../dev/resolve-request.js'
import type { RouteTable } from '../dev/route-table.js'

const SOURCE = /\.(ts|tsx|mts|cts|map)$|(^|\/)(\.env|package(-lock)?\.json|tsconfig|vercel\.json)/

/** What is wrong with a deployment as a whole: what it would serve as files, and what its crons call. */
export async function checkDeployment(root: string, table: RouteTable): Promise<string[]> {
  return [...(await checkFiles(root, table)), ...(await checkCrons(table))]
}

async function checkFiles(root: string, { builders }: RouteTable): Promise<string[]> {
  const served = builders.filter(({ use }) => use === '@vercel/static').map(({ src }) => src)
  if (served.length !== 1 || served[0] !== 'public/**/*')
    return ['public/ has no file: Vercel would serve the sources in its place']
  const files = await listProjectFiles(root)
  return files
    .filter(file => file.startsWith('public/') && SOURCE.test(file))
    .map(file => `${file} would be served: it looks like a source`)
}

async function checkCrons(table: RouteTable): Promise<string[]> {
  const problems: string[] = []
  for (const { path } of table.config.crons ?? []) {
    const { kind } = await resolveRequest(table, path)
    if (kind !== 'function') problems.push(`vercel.json: the cron ${path} has no function`)
  }
  return problems
}
