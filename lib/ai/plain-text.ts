/**
 * What a model says as a chat shows it: without markup, which some widgets would show as it is and others would
 * run, and with at most so many characters, cut behind a sentence or a word.
 */
export function plainText(text: string, maxCharacters: number): string {
  const plain = text
    // Some more than is kept, for the markup in it.
    .slice(0, 4 * maxCharacters)
    .replace(/\p{Surrogate}$/u, '')
    .replace(/```[a-z]*|`/gi, '')
    // Before links and tags: what is left without it may be one.
    .replace(/\*\*|__/g, '')
    .replace(/!?\[([^[\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)/g, '$1')
    .replace(/<(?=[a-z/!?])[^<>]*>?/gi, '')
    // What is one only now, since something in it or around it is gone.
    .replace(/\](?=\()|<(?=[a-z/!?])/gi, '$& ')
    .replace(/^[ \t]*#{1,6}[ \t]+/gm, '')
    // Control characters, but for line feeds.
    .replace(/[^\P{Cc}\n]/gu, ' ')
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n\s*/g, '\n')
    .trim()
  return plain.length > maxCharacters ? cut(plain, maxCharacters) : plain
}

function cut(text: string, maxCharacters: number): string {
  const head = text.slice(0, maxCharacters - 1)
  const end = [...head.matchAll(/[.!?।](?=\s)/g)].at(-1)?.index ?? 0
  if (end > maxCharacters / 2) return head.slice(0, end + 1)
  return `${head.replace(/\s+\S*$|\p{Surrogate}$/u, '')}…`
}
