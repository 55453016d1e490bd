# Forms of every page: what they share, and labels.

forms-where = Where you are
forms-save = Save
forms-nothing-saved = Nothing was saved
forms-look = Correct the fields that are marked, and send the form again.
forms-choose = Choose one of the values offered.
forms-id-hint = 2 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit. It stands in addresses and certificates and cannot be changed.
forms-id-wrong = Use 2 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit.
forms-day-wrong = Write the day as year, month and day, like 2031-03-31.

labels-title = Labels
labels-count = { $count ->
    [one] For { $count } device.
   *[other] For { $count } devices.
}
labels-more = The search finds more devices. This file has the first { $count } from here on.
labels-next = Labels for the next ones
labels-format = File
labels-sheet = Sheet
labels-sheet-hint = Print at 100 %, not fitted to the page.
labels-code = Code
labels-link = The code leads to
labels-link-hint = Codes hold the address of this console. Once labels are printed, it must not change.
labels-line = Line of your own
labels-line-hint = At most 60 Latin letters, digits and signs; printed where there is room.
labels-skip = Positions used up
labels-skip-hint = How many labels of the first sheet are missing already.
labels-skip-wrong = Write a whole number, 0 where the sheet is new.
labels-do = Download
labels-wrong-gtin = The product line of one of the devices has no GTIN. Enter it in the product line, or let the code lead to the page.
labels-wrong-line = Use at most 60 Latin letters, digits and signs: the fonts of printers have no others.
labels-wrong-skip = The sheet has fewer positions. At most { $count } can be used up.
labels-wrong-one-sheet = An SVG is one sheet, with room for { $count } labels here. Choose PDF.
labels-wrong-count = This file holds from 1 to { $count } labels. Choose another kind of file, or fewer devices.
labels-wrong-fit = The code does not fit on labels of this size. Choose a larger one.
labels-wrong-code = The code cannot be drawn: the address of this console is too long.

label-format-pdf = PDF, sheets of labels
label-format-svg = SVG, one sheet of labels
label-format-code-png = PNG, the code alone
label-format-code-svg = SVG, the code alone
label-sheet-a4-24 = A4, 24 labels of 70 × 37 mm
label-sheet-a4-65 = A4, 65 labels of 38.1 × 21.2 mm
label-sheet-roll-62x29 = Roll, 62 × 29 mm
label-sheet-roll-50x25 = Roll, 50 × 25 mm
label-sheet-roll-25x25 = Roll, 25 × 25 mm
label-code-qr = QR Code
label-code-datamatrix = Data Matrix
label-link-best = GS1 Digital Link where there is a GTIN, else the page
label-link-page = the public page
label-link-gs1 = GS1 Digital Link (needs a GTIN)
