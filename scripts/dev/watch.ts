import { existsSync, type FSWatcher, readdirSync, watch } from 'node:fs'
import { join, relative } from 'node:path'

const SETTLE_MS = 80

/** Which parts of a project are watched. Any of them may appear later. */
export interface Watched {
  /** With everything below them. */
  directories: readonly string[]
  /** Directly in the root. */
  files: readonly string[]
}

/**
 * Calls back with the paths that changed, relative to the root, once things have been quiet for a moment.
 *
 * Watches each directory by itself: a recursive watcher of node:fs loses a file for good when an editor replaces
 * it by renaming another over it (Linux, Node 20).
 *
 * @returns a function that ends it.
 */
export function watchProject(
  root: string,
  { directories, files }: Watched,
  onChange: (changed: string[]) => void,
): () => void {
  const changed = new Set<string>()
  let watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined

  const close = () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
    watchers = []
  }
  const watchDirectory = (directory: string, isWatched: (name: string) => boolean) => {
    const watcher = watch(directory, (_, name) => {
      if (name === null || !isWatched(name)) return
      changed.add(relative(root, join(directory, name)))
      settle()
    })
    // Its directory is gone, which the one above reports.
    watcher.on('error', () => {})
    watchers.push(watcher)
  }
  // All anew after each change: directories come and go, also under the same name.
  const open = () => {
    close()
    watchDirectory(root, name => directories.includes(name) || files.includes(name))
    for (const name of directories)
      for (const directory of directoriesIn(join(root, name))) watchDirectory(directory, () => true)
  }
  const settle = () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      try {
        open()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        settle()
        return
      }
      const paths = [...changed].sort()
      changed.clear()
      onChange(paths)
    }, SETTLE_MS)
  }

  open()
  return close
}

function directoriesIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  const below = readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name))
  return [directory, ...below]
}
