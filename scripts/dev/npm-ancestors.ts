import { readFileSync } from 'node:fs'

const INTERVAL_MS = 250

/**
 * Calls back when the `npm run dev` that started this process was killed: SIGKILL ends npm alone, and a server
 * left behind would keep the port and the database. Where no npm started it, nothing is watched: a server started
 * in the background of a shell shall outlive the shell. Needs /proc, so it does nothing but on Linux.
 */
export function onNpmGone(variables: NodeJS.ProcessEnv, gone: () => void): void {
  if (variables.npm_lifecycle_event !== 'dev') return
  const chain = parentsUpToNpm()
  if (chain.length === 0) return
  const timer = setInterval(() => {
    if (chain.every(({ pid, parent }) => readParent(pid) === parent)) return
    clearInterval(timer)
    gone()
  }, INTERVAL_MS)
  timer.unref()
}

// This process and those between it and npm (a shell, tsx), each with its parent. A process whose parent ends
// gets another one.
function parentsUpToNpm(): { pid: number; parent: number }[] {
  const chain: { pid: number; parent: number }[] = []
  let pid = process.pid
  for (;;) {
    const parent = readParent(pid)
    if (parent === undefined || parent <= 1) return []
    chain.push({ pid, parent })
    if (readStat(parent)?.name.startsWith('npm')) return chain
    pid = parent
  }
}

function readParent(pid: number): number | undefined {
  return readStat(pid)?.parent
}

// proc_pid_stat(5): "pid (name) state ppid …", where the name may hold anything.
function readStat(pid: number): { name: string; parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const nameEnd = stat.lastIndexOf(')')
    const parent = Number(stat.slice(nameEnd + 2).split(' ')[1])
    return { name: stat.slice(stat.indexOf('(') + 1, nameEnd), parent }
  } catch {
    return undefined
  }
}
