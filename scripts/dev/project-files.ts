import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The files of a project by their paths with forward slashes, sorted: what a deployment is made of, so without
 * packages and without what is hidden outside `public/`.
 */
export async function listProjectFiles(root: string): Promise<string[]> {
  const files: string[] = []
  const visit = async (directory: string): Promise<void> => {
    for (const entry of await readdir(join(root, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      const hidden = entry.name.startsWith('.') && !path.startsWith('public/')
      if (hidden || entry.name === 'node_modules') continue
      if (entry.isDirectory()) await visit(path)
      else files.push(path)
    }
  }
  await visit('')
  return files.sort()
}
