import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import { PLATFORM_ANSWERS, sendPlatformAnswer } from './platform-answers.js'

const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml',
}

/** A file below `public/`. */
export interface StaticFile {
  path: string
}

/** The file that decoded path segments name: itself, or the `index.html` of a directory. */
export async function findStaticFile(
  { publicDirectory, cleanUrls }: { publicDirectory: string; cleanUrls: boolean },
  segments: readonly string[] | undefined,
): Promise<StaticFile | undefined> {
  if (!segments) return undefined
  const named = join(publicDirectory, ...segments)
  const candidates = [...(cleanUrls ? [`${named}.html`] : []), named, join(named, 'index.html')]
  for (const path of candidates) if (await isFile(path)) return { path }
  return undefined
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** Answers with a file: GET and HEAD only, with an `ETag` over its content. */
export async function sendStaticFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: StaticFile,
  status: 200 | 404,
  headers: Record<string, string>,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendPlatformAnswer(response, PLATFORM_ANSWERS.methodNotAllowed, { ...headers, allow: 'GET, HEAD' })
    return
  }
  const content = await readFile(file.path)
  const etag = `"${createHash('sha1').update(content).digest('hex')}"`
  const common = { 'cache-control': 'public, max-age=0, must-revalidate', ...headers, etag }
  if (status === 200 && isFresh(request.headers['if-none-match'], etag)) {
    response.writeHead(304, common).end()
    return
  }
  response.writeHead(status, {
    ...common,
    'content-type': CONTENT_TYPES[extname(file.path).toLowerCase()] ?? 'application/octet-stream',
    'content-length': content.length,
  })
  response.end(request.method === 'HEAD' ? undefined : content)
}

// The weak comparison of RFC 9110, section 13.1.2.
function isFresh(ifNoneMatch: string | undefined, etag: string): boolean {
  const candidates = (ifNoneMatch ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return candidates.includes(etag) || candidates.includes('*')
}
